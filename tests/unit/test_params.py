"""Parameters: which value holds when, and what may be set."""

from __future__ import annotations

import numpy as np
import pytest

from registry.parameters import (
    RULES,
    ParameterRangeError,
    ParameterRow,
    UnknownParameterError,
    override,
    parameter,
    parse,
    resolve,
    resolve_columns,
    used_by,
    validate,
)

ROWS = [
    ParameterRow("location", "min_displacement_m", None, 300, 100),
    ParameterRow("location", "min_displacement_m", None, 350, 200),
    ParameterRow("location", "min_displacement_m", "O1", 500, 150),
    ParameterRow("location", "unheard_of", None, 1, 0),
    ParameterRow("destination", "radius_m", None, 1, 0),
]


def test_newest_effective_value_and_the_organisations_own_first() -> None:
    def value(organisation: str | None, at: int) -> int:
        return resolve("location", organisation, at, ROWS)["min_displacement_m"]

    assert [value("O2", at) for at in (99, 100, 199, 200)] == [200, 300, 300, 350]
    assert [value("O1", at) for at in (99, 149, 150, 999)] == [200, 300, 500, 500]
    assert value(None, 500) == 350
    with pytest.raises(UnknownParameterError):
        resolve("no_rule", None, 0, ROWS)


def test_columns_agree_with_single_values() -> None:
    organisations = np.array(["O1", "O2", "O1", "O2", "O1"], object)
    at = np.array([99, 150, 150, 250, 250])
    columns = resolve_columns("location", organisations, at, ROWS)
    for k in range(5):
        assert {n: int(c[k]) for n, c in columns.items()} == resolve(
            "location", organisations[k], int(at[k]), ROWS
        )


def test_what_moved_from_a_rule_to_orders_is_still_asked_of_the_rule() -> None:
    assert parse("location", "early_start_min=5") == ("early_start_min", 5)
    assert [p.name for p in used_by("location")] == [
        "min_displacement_m",
        "episode_idle_min",
        "early_start_min",
    ]
    rows = (ParameterRow("order", "early_start_min", None, 60, 0), ROWS[0])
    made = override(rows, "location", {"early_start_min": 5})
    assert made == (ROWS[0], ParameterRow("order", "early_start_min", None, 5, 0))
    assert resolve("order", "O1", 9, made)["early_start_min"] == 5


def test_defaults_are_within_their_limits_and_validation_refuses_the_rest() -> None:
    for rule, parameters in RULES.items():
        for p in parameters:
            assert validate(rule, p.name, p.default) == p.default
            for wrong in (p.minimum - 1, p.maximum + 1, p.default + 0.5, True):
                with pytest.raises(ParameterRangeError):
                    validate(rule, p.name, wrong)
    with pytest.raises(UnknownParameterError):
        parameter("location", "radius_m")
