"""Supervision orders (督办), complaints of the hotline 12345, tasks, messages."""
