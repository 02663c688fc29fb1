"""What is chained: the streams, the columns that each row is hashed with, and the SQL that makes its text.

The text of a row is ``json_build_array`` of its columns, the key first, as PostgreSQL writes it in a session of
``runtime.postgres`` (UTC, ISO dates). Bytes are in hex; of a content (evidence, an attachment, positions) its SHA-256 stands for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from runtime.connection import Connection
from runtime.units import from_us

#: Days before which nothing of a month may have been dropped, whatever the settings are (runtime.settings).
_EVALUATIONS_KEPT: Final = 100
_AUDIT_KEPT: Final = 184


#: What a key or a list that somebody changed comes to when it is read.
UNREADABLE: Final = (
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    AttributeError,
)


@dataclass(frozen=True, slots=True)
class Stream:
    """A chain. ``key``: the columns that name a row, with their SQL types; ``columns``: the others. ``stamp``: when a row says
    that it was written; None = the time it tells is not that of its writing. ``month``: the column by whose month rows are
    dropped when they are old, and ``kept_days`` for how long they are kept at least; None = they are never dropped."""

    name: str
    chinese: str
    table: str
    key: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    stamp: str | None = None
    month: str | None = None
    kept_days: int = 0
    #: Columns of which the SHA-256 is hashed, not the bytes.
    contents: frozenset[str] = frozenset()
    #: Columns of bytes that are short.
    hex: frozenset[str] = frozenset()

    def text(self, row: str) -> str:
        """SQL of the text of ``row`` (an alias)."""
        key = [_key_sql(row, name, kind) for name, kind in self.key]
        return (
            f"json_build_array({', '.join(key + [self._column(row, name) for name in self.columns])})::text"
        )

    def _column(self, row: str, name: str) -> str:
        if name in self.contents:
            return f"pg_catalog.encode(pg_catalog.sha256({row}.{name}), 'hex')"
        return f"pg_catalog.encode({row}.{name}, 'hex')" if name in self.hex else f"{row}.{name}"

    def key_of(self, text: bytes) -> str:
        """The key of a row, from its text, as ``seal_pending`` has it."""
        return key_text(json.loads(text)[: len(self.key)])

    def values(self, keys: Sequence[str]) -> list[list[Any]]:
        """Keys as columns of values for ``FOUND``."""
        read = [json.loads(key) for key in keys]
        return [[_value(row[k], kind) for row in read] for k, (_, kind) in enumerate(self.key)]

    def found(self, more: str = "") -> str:
        """SQL: the texts of the rows that ``values`` names, in that order, null where there is none. ``more``: further columns
        of the row ``t``."""
        names = ", ".join(f"k{n}" for n in range(len(self.key)))
        given = ", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(self.key, 1))
        same = " AND ".join(f"t.{name} = k.k{n}" for n, (name, _) in enumerate(self.key))
        text = f"CASE WHEN t.{self.key[0][0]} IS NOT NULL THEN {self.text('t')} END"
        return (
            f"SELECT {text} AS text{more} FROM unnest({given}) WITH ORDINALITY AS k ({names}, place)"  # noqa: S608 - our own names
            f" LEFT JOIN {self.table} t ON {same} ORDER BY k.place"
        )


def _key_sql(row: str, name: str, kind: str) -> str:
    if kind == "timestamptz":
        return f"(extract(epoch FROM {row}.{name}) * 1000000)::bigint"
    return f"pg_catalog.encode({row}.{name}, 'hex')" if kind == "bytea" else f"{row}.{name}"


def _value(value: Any, kind: str) -> Any:
    if kind == "timestamptz":
        return from_us(value)
    if kind == "bytea":
        return bytes.fromhex(value)
    if kind == "date":
        return date.max if value == "infinity" else date.fromisoformat(value)
    return value


def key_text(values: Sequence[Any]) -> str:
    """A key as PostgreSQL writes it: ``[1, "a"]``."""
    return json.dumps(list(values), ensure_ascii=False)


STREAMS: Final = (
    Stream(
        "evidence", "冻结的证据", "evidence", (("sha256", "bytea"), ("month", "date")), ("sm3", "created_at", "body"),
        stamp="created_at", month="month", kept_days=_EVALUATIONS_KEPT, contents=frozenset({"body"}), hex=frozenset({"sm3"}),
    ),
    Stream(
        "positions", "证据所依据的定位", "evidence_positions", (("sha256", "bytea"),),
        ("made_at", "fixes", "absent", "spans", "rows", "sm3"), stamp="made_at", contents=frozenset({"rows"}), hex=frozenset({"sm3"}),
    ),
    Stream(
        "evaluations", "判定", "evaluations", (("id", "bigint"), ("evaluated_at", "timestamptz")),
        ("rule", "rule_version", "subject", "vehicle_no", "outcome", "reason_code", "reason_named", "reason", "reason_en",
         "measures", "parameters", "evidence_sha256"),
        month="evaluated_at", kept_days=_EVALUATIONS_KEPT, hex=frozenset({"evidence_sha256"}),
    ),
    Stream(
        "alerts", "预警各版本", "alert_versions", (("alert_id", "text"), ("version", "integer")),
        ("body", "evidence_sha256", "created_at"), stamp="created_at", hex=frozenset({"evidence_sha256"}),
    ),
    Stream("feed", "预警推送序列", "alert_feed", (("seq", "bigint"),), ("alert_id", "version", "created_at"), stamp="created_at"),
    Stream(
        "receipts", "回执", "alert_receipts",
        (("alert_id", "text"), ("version", "integer"), ("subject_kind", "text"), ("subject_id", "text")),
        ("organisation", "subject_name", "received_by", "received_at"), stamp="received_at",
    ),
    Stream(
        "dispositions", "处置", "alert_dispositions", (("no", "bigint"),),
        ("alert_id", "id", "organisation", "version", "code", "note", "decided_by", "subject_kind", "subject_id",
         "subject_name", "recorded_at"), stamp="recorded_at",
    ),
    Stream(
        "case_events", "督办单经过", "case_events", (("case_id", "text"), ("version", "integer")),
        ("step", "at", "actor", "persons", "actor_name", "address", "device", "internal", "body"), stamp="at",
    ),
    Stream(
        "trip_requests", "用车申请经过", "trip_request_events", (("paper", "text"), ("version", "integer")),
        ("step", "at", "actor", "persons", "actor_name", "address", "device", "body"), stamp="at",
    ),
    Stream(
        "trip_dispatches", "派车单经过", "trip_dispatch_events", (("paper", "text"), ("version", "integer")),
        ("step", "at", "actor", "persons", "actor_name", "address", "device", "body"), stamp="at",
    ),
    Stream(
        "cost_entries", "费用台账各版本", "cost_entry_versions", (("entry", "text"), ("version", "integer")),
        ("step", "at", "actor", "actor_name", "address", "body"), stamp="at",
    ),
    Stream(
        "statements", "结算单经过", "cost_statement_events", (("statement", "text"), ("version", "integer")),
        ("step", "at", "actor", "persons", "actor_name", "address", "device", "body"), stamp="at",
    ),
    Stream(
        "reconciliations", "对账记录", "reconciliations", (("id", "text"),),
        ("organisation", "since", "until", "made_at", "made_by", "made_by_name", "source", "file_sha256", "file_bytes", "items_sha256", "result_sha256",
         "parameters", "counts"), stamp="made_at",
    ),
    Stream(
        "reconciliation_acts", "对账的人工办理", "reconciliation_acts", (("reconciliation", "text"), ("version", "integer")),
        ("step", "at", "actor", "persons", "actor_name", "address", "device", "body"), stamp="at",
    ),
    Stream(
        "attachments", "督办单附件", "case_attachments", (("id", "text"),),
        ("case_id", "name", "media_type", "size", "sha256", "received_sha256", "uploaded_by", "uploaded_at", "body"),
        stamp="uploaded_at", contents=frozenset({"body"}), hex=frozenset({"sha256", "received_sha256"}),
    ),
    Stream(
        "labels", "核实结论", "alert_labels", (("id", "bigint"),),
        ("alert_id", "case_id", "organisation", "finding", "cause", "person", "at"), stamp="at",
    ),
    Stream(
        "caller_reads", "查看来电人", "complaint_reads", (("id", "bigint"),),
        ("complaint_id", "person", "reason", "address", "at"), stamp="at",
    ),
    Stream(
        "quarantine", "隔离结束的定位", "quarantine_ended", (("id", "bigint"),),
        ("terminal_no", "set_aside_at", "ended_at"), stamp="ended_at",
    ),
    Stream(
        "audit", "审计", "audit", (("no", "bigint"), ("at", "timestamptz")),
        ("who_kind", "who_id", "who_name", "roles", "delegated_by", "address", "forwarded_for", "agent", "operation", "action",
         "subject_kind", "subject_id", "organisation", "vehicle", "purpose", "before", "after", "detail"),
        stamp="at", month="at", kept_days=_AUDIT_KEPT,
    ),
)  # fmt: skip
BY_NAME: Final = {stream.name: stream for stream in STREAMS}


async def texts_of(connection: Connection, stream: Stream, keys: Sequence[str]) -> list[bytes | None]:
    """The texts of the rows that ``keys`` name, in that order; None = there is no such row."""
    return [None if row is None else row["text"].encode() for row in await rows_of(connection, stream, keys)]


async def rows_of(connection: Connection, stream: Stream, keys: Sequence[str], more: str = "") -> list[Any]:
    """The rows that ``keys`` name, in that order, with their ``text`` and ``more`` columns; None = there is no such row. A text
    that is no key names none."""
    good = [place for place, key in enumerate(keys) if _is_key(stream, key)]
    found: list[Any] = [None] * len(keys)
    rows = await connection.fetch(stream.found(more), *stream.values([keys[place] for place in good]))
    for place, row in zip(good, rows, strict=True):
        found[place] = None if row["text"] is None else row
    return found


_RANGES: Final = {"integer": 1 << 31, "bigint": 1 << 63}


def _is_key(stream: Stream, key: str) -> bool:
    """Whether a text can name a row: whoever owns the database can write anything."""
    try:
        values = stream.values([key])
        if len(json.loads(key)) != len(stream.key):
            return False
    except UNREADABLE:
        return False
    for (value,), (_, kind) in zip(values, stream.key, strict=True):
        if kind in _RANGES and not (type(value) is int and -_RANGES[kind] <= value < _RANGES[kind]):
            return False
        if kind == "text" and not (isinstance(value, str) and "\0" not in value):
            return False
    return True


def month_of(stream: Stream, key: str) -> date | None:
    """The first day of the month in which a row is kept; None = for ever."""
    if stream.month is None:
        return None
    names = [name for name, _ in stream.key]
    value = _value(json.loads(key)[names.index(stream.month)], dict(stream.key)[stream.month])
    if isinstance(value, datetime):
        return value.date().replace(day=1)
    found: date | None = None if value == date.max else value
    return found
