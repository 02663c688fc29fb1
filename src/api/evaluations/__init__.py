"""Judgements, whatever their outcome."""
