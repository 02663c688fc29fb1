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
    rows_for,
    used_by,
    validate,
    with_units_below,
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


def _tree(*more: ParameterRow) -> tuple[ParameterRow, ...]:
    """City > bureau > office, and another bureau beside."""
    name = ("location", "min_displacement_m")
    rows = (
        ParameterRow(*name, None, 300, 0),
        ParameterRow(*name, "office", 700, 300),
        ParameterRow(*name, "city", 500, 100),
        ParameterRow(*name, "city", 550, 400),
        ParameterRow(*name, "bureau", 600, 200),
        *more,
    )
    below = {"city": ("bureau", "beside", "office"), "bureau": ("office",), "office": ()}
    return with_units_below(rows, below)


def test_a_unit_has_what_the_units_above_it_have_set_until_it_sets_its_own() -> None:
    def values(organisation: str | None) -> list[int]:
        times = (0, 99, 100, 199, 200, 299, 300, 400)
        return [resolve("location", organisation, at, _tree())["min_displacement_m"] for at in times]

    assert values(None) == values("elsewhere") == [300] * 8
    assert values("city") == values("beside") == [300, 300, 500, 500, 500, 500, 500, 550]
    assert values("bureau") == [300, 300, 500, 500, 600, 600, 600, 600]
    assert values("office") == [300, 300, 500, 500, 600, 600, 700, 700]


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 4, 0, 3, 1)])
def test_columns_single_values_and_evidence_agree_whatever_the_order_of_the_rows(
    order: tuple[int, ...],
) -> None:
    rows = [_tree()[k] for k in order]
    units = ["city", "bureau", "office", "beside", "elsewhere"]
    asked = [(unit, at) for unit in units for at in range(0, 500, 50)]
    organisations = np.array([unit for unit, _ in asked], object)
    column = resolve_columns("location", organisations, np.array([at for _, at in asked]), rows)
    for k, (unit, at) in enumerate(asked):
        single = resolve("location", unit, at, rows)["min_displacement_m"]
        assert int(column["min_displacement_m"][k]) == single
        # Evidence keeps five plain fields of a row; what they give is the same.
        frozen = [
            ParameterRow(r.rule, r.name, r.organisation, r.value, r.effective_us)
            for r in rows_for(rows, unit)
        ]
        assert resolve("location", unit, at, frozen)["min_displacement_m"] == single
        assert {r.organisation for r in frozen} <= {None, unit}


def test_evidence_of_a_unit_that_inherits_nothing_keeps_its_rows_as_they_are() -> None:
    assert rows_for(ROWS, "O1") == ROWS
    assert rows_for(ROWS, "O2") == [row for row in ROWS if row.organisation is None]


def test_a_backtest_for_one_unit_counts_above_all_that_it_inherits() -> None:
    made = override(_tree(), "location", {"min_displacement_m": 9}, "bureau")
    at_the_end = {
        u: resolve("location", u, 999, made)["min_displacement_m"] for u in ("city", "bureau", "beside")
    }
    assert at_the_end == {"city": 550, "bureau": 9, "beside": 550}
