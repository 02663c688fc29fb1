"""Benchmarks. They print figures and never fail a build for being slow; see docs/performance.md for how to read them."""
