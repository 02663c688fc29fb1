"""What a list is asked for, as SQL. Only what is asked for: "$1 IS NULL OR ..." hides from PostgreSQL which index helps and which
months matter."""

from __future__ import annotations

from typing import Any


class Conditions:
    """Conditions that all hold, and the arguments of the statement."""

    def __init__(self) -> None:
        self.arguments: list[Any] = []
        self._clauses: list[str] = []

    def beside(self) -> Conditions:
        """Other conditions of the same statement: their values become its arguments, behind those that it has."""
        other = Conditions()
        other.arguments = self.arguments
        return other

    def add(self, clause: str, *values: Any) -> None:
        """``clause`` holds: SQL in which each ``{}`` stands for the next of ``values``."""
        first = len(self.arguments) + 1
        self._clauses.append(clause.format(*(f"${first + k}" for k in range(len(values)))))
        self.arguments.extend(values)

    def argument(self, value: Any) -> str:
        """``value`` as an argument of what follows the conditions, as ``$n``."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    @property
    def where(self) -> str:
        """ " WHERE ...", or nothing."""
        return f" WHERE {' AND '.join(self._clauses)}" if self._clauses else ""
