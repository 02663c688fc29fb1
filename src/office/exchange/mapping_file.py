"""Files of mappings: YAML, read safely and checked as a whole. Every flaw is said, with its place.

name: example                     # how it is called
note: whose reading it is
code_tables: {energy: {petrol: "A"}}
interfaces:
  - clause: "7.4"
    name: 单车
    kind: vehicle                 # of office.exchange.kinds
    where: {secret: [false]}      # only records with one of these values; left out: all
    fields:
      - {to: CLBH, from: id, required: true}
      - {to: RLZL, from: energy, codes: energy}
      - {to: YXRJ, from: tank_ml, unit: ml, as: L}
      - {to: SJLY, value: gongche}
not_served: [{clause: "7.8", name: 维保, why: ...}]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args

import yaml

from office.exchange.kinds import UP
from office.exchange.mapping import TIMES, Field, Interface, NotServed, ReceiverMapping
from registry.order_record import DispatchOrder
from registry.vehicles import Vehicle as VehicleRecord
from rules.alerts.model import Severity, Status
from runtime.errors import ConfigurationError

#: What every record has besides its own fields.
COMMON: Final = ("id", "origin", "version", "organisation")
#: Units of quantities: (dimension, how many of the smallest one).
_UNITS: Final[dict[str, tuple[str, Decimal]]] = {
    "ml": ("volume", Decimal(1)), "L": ("volume", Decimal(1_000)), "m3": ("volume", Decimal(1_000_000)),
    "Wh": ("energy", Decimal(1)), "kWh": ("energy", Decimal(1_000)),
    "m": ("length", Decimal(1)), "km": ("length", Decimal(1_000)),
    "fen": ("money", Decimal(1)), "yuan": ("money", Decimal(100)),
    "s": ("time", Decimal(1)), "min": ("time", Decimal(60)), "h": ("time", Decimal(3_600)),
}  # fmt: skip
MOST_BYTES: Final = 1 << 20
_MOST_DEPTH: Final = 20


class MappingError(ConfigurationError):
    """A mapping that cannot work: every flaw, with its place."""


class _Loader(yaml.SafeLoader):
    """Safe, and refuses a key that stands twice."""


def _no_doubles(loader: yaml.SafeLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    for key in keys:
        if not isinstance(key, str | int | bool):
            raise yaml.constructor.ConstructorError(None, None, f"not a key: {key!r}", node.start_mark)
        if keys.count(key) > 1:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", node.start_mark)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)  # type: ignore[no-untyped-call, no-any-return, unused-ignore]


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _no_doubles)


def load(path: Path) -> ReceiverMapping:
    """The mapping in a file. Raises MappingError with every flaw."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise MappingError(
            f"{path}: {error.strerror or error}", hint="gongche exchange mapping check FILE"
        ) from error
    return parse(text, str(path))


def parse(text: bytes, name: str) -> ReceiverMapping:
    """The mapping in ``text``; ``name``: how the file is called. Raises MappingError with every flaw."""
    if len(text) > MOST_BYTES:
        raise MappingError(f"{name}: 超过 {MOST_BYTES} 字节 · larger than {MOST_BYTES} bytes")
    try:
        _refuse_bombs(text, name)
        given = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise MappingError(f"{name}: 不是有效的 YAML · not YAML: {error}") from None
    reader = _Reader(name)
    mapping = reader.mapping(given)
    if reader.flaws:
        raise MappingError("; ".join(reader.flaws[:20]), hint=f"gongche exchange mapping check {name}")
    return mapping


def _refuse_bombs(text: bytes, name: str) -> None:
    """A few lines of aliases of aliases can be gigabytes, and nesting without end takes time. Nobody needs them here."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise MappingError(f"{name}: 不得使用 YAML 别名（*） · no YAML aliases")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_DEPTH:
            raise MappingError(f"{name}: 嵌套过深 · nested too deeply")


class _Reader:
    """Reads what YAML gave, and collects every flaw with its place."""

    def __init__(self, name: str) -> None:
        self.name, self.flaws = name, list[str]()

    def say(self, place: str, what: str) -> None:
        self.flaws.append(f"{self.name}: {place}: {what}")

    def table(
        self, given: Any, place: str, known: Sequence[str], needed: Sequence[str] = ()
    ) -> dict[str, Any]:
        if not isinstance(given, dict):
            self.say(place, "应为键值表 · must be a table of keys and values")
            return {}
        for key in given:
            if key not in known:
                self.say(place, f"没有 {key} 这一项 · there is no {key} here; {', '.join(known)}")
        for key in needed:
            if key not in given:
                self.say(place, f"缺少 {key} · {key} is missing")
        return given

    def list(self, given: Any, place: str) -> list[Any]:
        if isinstance(given, list):
            return given
        self.say(place, "应为列表 · must be a list")
        return []

    def text(self, given: Any, place: str) -> str:
        if isinstance(given, str) and given.strip() and given.isprintable():
            return given
        self.say(place, "应为文字 · must be a text (in quotes, where it looks like a number)")
        return ""

    def mapping(self, given: Any) -> ReceiverMapping:
        known = ("name", "note", "code_tables", "interfaces", "not_served")
        top = self.table(given, "/", known, ("name", "note", "interfaces"))
        tables = self.tables(top.get("code_tables", {}))
        interfaces = [
            self.interface(one, f"/interfaces/{k}", tables)
            for k, one in enumerate(self.list(top.get("interfaces", []), "/interfaces"))
        ]
        not_served = []
        for k, one in enumerate(self.list(top.get("not_served", []), "/not_served")):
            place = f"/not_served/{k}"
            row = self.table(one, place, ("clause", "name", "why"), ("clause", "name", "why"))
            not_served.append(
                NotServed(*(self.text(row.get(key), f"{place}/{key}") for key in ("clause", "name", "why")))
            )
        clauses = [one.clause for one in interfaces] + [one.clause for one in not_served]
        for clause in sorted({c for c in clauses if clauses.count(c) > 1}):
            self.say("/", f"条款 {clause} 出现两次 · clause {clause} stands twice")
        return ReceiverMapping(
            self.text(top.get("name", ""), "/name"),
            self.text(str(top.get("note", "")).strip(), "/note"),
            interfaces,
            not_served,
        )

    def tables(self, given: Any) -> dict[str, dict[Any, Any]]:
        found: dict[str, dict[Any, Any]] = {}
        if not isinstance(given, dict):
            self.say("/code_tables", "应为键值表 · must be a table")
            return found
        for name, table in given.items():
            place = f"/code_tables/{name}"
            if not isinstance(table, dict) or not table:
                self.say(place, "应为非空的代码表 · must be a table of codes")
            elif any(not isinstance(value, str | int) for value in table.values()):
                self.say(place, "代码应为文字或整数 · codes are texts or whole numbers")
            else:
                found[str(name)] = table
        return found

    def interface(self, given: Any, place: str, tables: Mapping[str, dict[Any, Any]]) -> Interface:
        row = self.table(
            given, place, ("clause", "name", "kind", "where", "fields"), ("clause", "name", "kind", "fields")
        )
        kind = row.get("kind")
        if kind not in UP:
            self.say(f"{place}/kind", f"没有这种记录 {kind} · no such kind; {', '.join(UP)}")
            return Interface(str(row.get("clause")), "", "", {}, [])
        known = (*COMMON, *UP[kind].model.model_fields)
        where: dict[str, list[Any]] = {}
        if "where" in row and isinstance(row["where"], dict):
            for name, values in row["where"].items():
                if name not in known:
                    self.say(f"{place}/where", self.no_field(name, kind, known))
                where[str(name)] = self.list(values, f"{place}/where/{name}")
        elif "where" in row:
            self.say(f"{place}/where", "应为键值表 · must be a table")
        fields = [
            self.field(one, f"{place}/fields/{k}", kind, known, tables)
            for k, one in enumerate(self.list(row.get("fields"), f"{place}/fields"))
        ]
        targets = [field.to for field in fields]
        for to in sorted({to for to in targets if targets.count(to) > 1}):
            self.say(place, f"目标字段 {to} 出现两次 · the field {to} stands twice")
        if not fields:
            self.say(place, "没有字段 · it has no fields")
        return Interface(
            self.text(row.get("clause"), f"{place}/clause"),
            self.text(row.get("name"), f"{place}/name"),
            kind,
            where,
            fields,
        )

    @staticmethod
    def no_field(name: object, kind: str, known: Sequence[str]) -> str:
        return (
            f"{kind} 没有字段 {name} · {kind} has no field {name}; it has {', '.join(dict.fromkeys(known))}"
        )

    def field(
        self, given: Any, place: str, kind: str, known: Sequence[str], tables: Mapping[str, dict[Any, Any]]
    ) -> Field:
        row = self.table(
            given,
            place,
            ("to", "from", "value", "required", "codes", "unit", "as", "time", "length"),
            ("to",),
        )
        to, source = self.text(row.get("to"), f"{place}/to"), row.get("from")
        if ("from" in row) == ("value" in row):
            self.say(place, "from 与 value 须有且仅有一个 · exactly one of from and value")
            return Field(to, None)
        if source is not None and source not in known:
            self.say(place, self.no_field(source, kind, known))
            return Field(to, None)
        if not isinstance(row.get("required", False), bool):
            self.say(f"{place}/required", "应为 true 或 false · true or false")
        ways = [way for way in ("codes", "unit", "time") if way in row]
        if len(ways) > 1:
            self.say(place, f"{' 与 '.join(ways)} 只能有一个 · only one of {', '.join(ways)}")
        return Field(
            to, source, row.get("value"), row.get("required") is True,
            self.codes(row, place, kind, source, tables), self.factor(row, place), self.time(row, place), self.length(row, place),
        )  # fmt: skip

    def codes(
        self, row: Mapping[str, Any], place: str, kind: str, source: Any, tables: Mapping[str, dict[Any, Any]]
    ) -> dict[Any, Any] | None:
        if "codes" not in row:
            return None
        table = tables.get(str(row["codes"]))
        if table is None:
            self.say(place, f"没有代码表 {row['codes']} · there is no code table {row['codes']}")
            return None
        for value in _values_of(kind, source):
            if value not in table:
                self.say(
                    place, f"代码表 {row['codes']} 缺少 {value} · the code table has no word for {value}"
                )
        return table

    def factor(self, row: Mapping[str, Any], place: str) -> Decimal | None:
        if "unit" not in row and "as" not in row:
            return None
        ours, theirs = _UNITS.get(str(row.get("unit"))), _UNITS.get(str(row.get("as")))
        if ours is None or theirs is None:
            unknown = row.get("unit") if ours is None else row.get("as")
            self.say(place, f"单位未知 {unknown} · the unit {unknown} is not known; {', '.join(_UNITS)}")
            return None
        if ours[0] != theirs[0]:
            self.say(place, f"{row['unit']} 不能换算为 {row['as']} · {row['unit']} cannot become {row['as']}")
            return None
        return ours[1] / theirs[1]

    def time(self, row: Mapping[str, Any], place: str) -> str | None:
        if "time" not in row:
            return None
        if row["time"] not in TIMES:
            self.say(place, f"时间格式未知 {row['time']} · no such form of a time; {', '.join(TIMES)}")
            return None
        return str(row["time"])

    def length(self, row: Mapping[str, Any], place: str) -> int | None:
        length = row.get("length")
        if length is not None and (not isinstance(length, int) or isinstance(length, bool) or length < 1):
            self.say(f"{place}/length", "应为正整数 · a whole number above 0")
            return None
        return length


#: Fields that have a fixed list of values: a code table must have a word for each.
_VALUES: Final[dict[tuple[str, str], tuple[Any, ...]]] = {
    ("vehicle", "energy"): get_args(VehicleRecord.model_fields["energy"].annotation),
    ("vehicle", "ownership"): get_args(VehicleRecord.model_fields["ownership"].annotation),
    ("order", "task_type"): get_args(DispatchOrder.model_fields["task_type"].annotation),
    ("order", "status"): get_args(DispatchOrder.model_fields["status"].annotation),
    ("alert", "status"): get_args(Status),
    ("alert", "severity"): get_args(Severity),
    ("case", "state"): (
        "issued",
        "refused",
        "working",
        "extension_asked",
        "replied",
        "calling_back",
        "redo",
        "closed",
        "cancelled",
    ),
    **{(kind, "secret"): (False, True) for kind in ("vehicle", "order", "alert", "case")},
}


def _values_of(kind: str, source: Any) -> tuple[Any, ...]:
    return _VALUES.get((kind, str(source)), ())


def example_path() -> Path:
    """The mapping that is shipped: DB32/T 3826-2020 as we read it."""
    return Path(__file__).with_name("db32_t_3826_2020.yaml")
