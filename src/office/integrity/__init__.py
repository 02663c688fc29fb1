"""Tamper evidence: chains of what is never changed, signed blocks, their verification, and the bundle of a case."""
