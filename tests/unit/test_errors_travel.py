"""Errors of a process of an import reach the API as they were."""

from __future__ import annotations

import pickle

import asyncpg
import pytest

from registry.bulk import ImportRefusedError
from registry.import_process import portable
from registry.refusals import Flaw, RefusedError, UnreadableError
from registry.writing import MeanwhileError
from runtime.errors import ConfigurationError, UnavailableError

FLAWS = [Flaw(("vehicle",), "未登记", 3, "车牌"), Flaw((), "重复", 1)]


@pytest.mark.parametrize(
    "error",
    [
        RefusedError(FLAWS, conflict=True),
        ImportRefusedError(FLAWS),
        UnreadableError("不是", field="x", row=2),
        MeanwhileError(),
        ConfigurationError("x", hint="y"),
        UnavailableError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_our_own(error: Exception) -> None:
    there = pickle.loads(pickle.dumps(error))  # noqa: S301 - made in this line
    assert type(there) is type(error)
    assert (there.args, there.__dict__) == (error.args, error.__dict__)
    assert str(there) == str(error)


def test_those_of_the_database() -> None:
    error = asyncpg.UniqueViolationError("taken")
    error.constraint_name = "one"
    there = portable(error)
    assert isinstance(there, asyncpg.UniqueViolationError)
    assert there.constraint_name == "one"


def test_one_that_cannot_travel_is_told() -> None:
    class LocalError(Exception):
        pass

    there = portable(LocalError("what it says"))
    assert type(there) is RuntimeError
    assert "LocalError: what it says" in str(there)
