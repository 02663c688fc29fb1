"""Fences in terminals (docs/reminders.md): which terminal has to hold which, and the commands that bring it there."""
