"""The pure parts of a backtest: values as people write them, what overrides what, kinds, counts, columns."""

from __future__ import annotations

import pytest

from registry.parameters import (
    RULES,
    ParameterRangeError,
    ParameterRow,
    UnknownParameterError,
    override,
    parse,
    resolve,
)
from rules.alerts.model import Measure
from rules.backtest import table
from rules.backtest.model import Kind, Row, Side, Totals, kind_of


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("mileage", "ratio=1.3", ("ratio_permille", 1300)),
        ("mileage", "ratio = 13/10", ("ratio_permille", 1300)),
        ("mileage", "ratio=130%", ("ratio_permille", 1300)),
        ("mileage", "ratio=1.001", ("ratio_permille", 1001)),
        ("mileage", "ratio_permille=1300", ("ratio_permille", 1300)),
        ("mileage", "ratio-permille=1300", ("ratio_permille", 1300)),
        ("destination", "radius_m=1e3", ("radius_m", 1000)),
        ("off_hours", "night_from_min=22:30", ("night_from_min", 1350)),
        ("off_hours", "night_from_min=1350", ("night_from_min", 1350)),
    ],
)
def test_values_as_people_write_them(rule: str, text: str, expected: tuple[str, int]) -> None:
    assert parse(rule, text) == expected


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("mileage", "ratio=1.3005"),
        ("mileage", "ratio=0.9"),
        ("mileage", "ratio=100.001"),
        ("mileage", "ratio="),
        ("mileage", "ratio=nan"),
        ("mileage", "ratio=1/0"),
        ("mileage", "ratio_permille=1300.5"),
        ("destination", "radius_m=2km"),
        ("destination", "radius_m=50%"),
        ("destination", "radius_m=0"),
        ("off_hours", "night_from_min=22:60"),
        ("off_hours", "night_from_min=24:00"),
    ],
)
def test_values_that_are_not_exact_or_out_of_the_limits(rule: str, text: str) -> None:
    with pytest.raises(ParameterRangeError):
        parse(rule, text)


@pytest.mark.parametrize(("rule", "text"), [("mileage", "radius_m=1"), ("nothing", "ratio=2")])
def test_unknown_names(rule: str, text: str) -> None:
    with pytest.raises(UnknownParameterError):
        parse(rule, text)


def test_what_is_set_beats_every_value_there_is() -> None:
    rows = [
        ParameterRow("mileage", "ratio_permille", None, 1600, 10),
        ParameterRow("mileage", "ratio_permille", "O1", 1700, 20),
        ParameterRow("mileage", "ratio_permille", "O2", 1800, 20),
        ParameterRow("mileage", "short_trip_m", "O1", 7, 20),
        ParameterRow("destination", "radius_m", "O1", 8, 20),
    ]
    everyone = override(rows, "mileage", {"ratio_permille": 1300})
    for organisation in ("O1", "O2", "O3", None):
        for at in (0, 15, 99):
            assert resolve("mileage", organisation, at, everyone)["ratio_permille"] == 1300
    assert resolve("mileage", "O1", 99, everyone)["short_trip_m"] == 7
    assert resolve("destination", "O1", 99, everyone)["radius_m"] == 8
    one = override(rows, "mileage", {"ratio_permille": 1300}, "O1")
    found = [resolve("mileage", o, 99, one)["ratio_permille"] for o in ("O1", "O2", "O3")]
    assert found == [1300, 1800, 1600]
    assert resolve("mileage", "O1", 0, one)["ratio_permille"] == 1300


def side(outcome: str, number: int = 1, severity: str | None = None) -> Side:
    return Side(outcome, "why", {"n": Measure(number, "m")}, severity)


@pytest.mark.parametrize(
    ("now", "then", "kind"),
    [
        (None, side("suspected"), Kind.RAISED),
        (side("undetermined"), side("suspected"), Kind.RAISED),
        (side("suspected"), side("undetermined"), Kind.WITHDRAWN),
        (side("suspected", 1), side("suspected", 2), Kind.CHANGED),
        (side("suspected", 1, "low"), side("suspected", 1, "high"), Kind.CHANGED),
        (side("normal"), side("undetermined"), Kind.CHANGED),
        (None, side("normal"), Kind.CHANGED),
        (side("normal"), side("normal"), Kind.UNCHANGED),
        (side("suspected", 1, "low"), side("suspected", 1, "low"), Kind.UNCHANGED),
    ],
)
def test_kinds(now: Side | None, then: Side, kind: Kind) -> None:
    assert kind_of(now, then) is kind


def row(kind: Kind, subject: str, us: int | None = 0, plate: str = "苏F00001") -> Row:
    now = side("normal") if kind is Kind.RAISED else side("suspected", 1, "low")
    then = side("suspected", 2, "low") if kind is Kind.RAISED else side("normal", 2)
    return Row(kind, subject, now, then, "O1", "V1", plate, None, None, us, None)


def test_the_first_rows_are_the_same_however_they_came() -> None:
    rows = [row(Kind.RAISED, f"s{k}", k % 7) for k in range(50)]
    one, other = Totals(keep=5), Totals(keep=5)
    one.add(rows)
    for made in reversed(rows):
        other.add([made])
    assert one.first == other.first
    assert [r.subject for r in one.first[Kind.RAISED]] == ["s0", "s14", "s21", "s28", "s35"]
    assert (one.subjects, one.kinds, one.steps) == (50, other.kinds, other.steps)
    none = Totals(keep=0)
    none.add(rows)
    assert none.first[Kind.RAISED] == []


def test_a_summary_adds_up() -> None:
    totals = Totals()
    totals.add([row(Kind.RAISED, "a"), row(Kind.WITHDRAWN, "b")])
    totals.add([Row(Kind.WAITING, "c", None, Side("undetermined", "没有冻结的导航路线 · no frozen route"))])
    text = "\n".join(table.summary(totals))
    assert "没有冻结的导航路线 · no frozen route: 1" in text
    assert "n 1 -> 2 m" in text
    assert text.splitlines()[-1].startswith("  1970-01-01 08:00  苏F00001  b")


def test_cells_are_columns_and_never_formulas() -> None:
    text, now, then = table.cells(row(Kind.RAISED, "=1+1", plate="@苏"))
    assert dict(zip(table.header([]), text, strict=True)) == {
        "kind": "raised", "subject": "'=1+1", "organisation": "O1", "vehicle": "V1", "plate": "'@苏", "driver": "",
        "order": "", "from": "1970-01-01T08:00:00+08:00", "to": "", "now_outcome": "normal", "now_reason": "why",
        "now_severity": "", "then_outcome": "suspected", "then_reason": "why", "then_severity": "low",
    }  # fmt: skip
    assert (now, then) == ({"n": 1}, {"n": 2})
    assert table.header(["n"])[-2:] == ["now_n", "then_n"]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_parameters_are_described_with_unit_and_default(rule: str) -> None:
    text = table.describe(RULES[rule])
    for known in RULES[rule]:
        assert f"{known.name} = {known.default} [{known.unit}]" in text
