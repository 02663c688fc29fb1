"""What is wrong with data that the registry refuses: where it is, and a sentence in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from runtime.connection import Connection
from runtime.errors import GongcheError

#: Said wherever a coordinate comes without its datum.
NO_DATUM: Final = (
    "坐标缺少坐标系 datum（wgs84、gcj02 或 bd09） · a coordinate needs its datum: wgs84, gcj02 or bd09"
)

#: Clocks of other systems may be so much ahead of ours.
AHEAD: Final = timedelta(minutes=10)
IN_FUTURE: Final = "时间在未来（超前 10 分钟以上） · the time is more than 10 minutes in the future"

#: Longest message handed back; a stranger's own input may be part of it.
MAX_MESSAGE: Final = 300


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong. ``row`` is the index of the record in the given list, ``path`` leads into
    it. ``column``: what the file that it came in calls the field, "" = it has no name there.
    """

    path: tuple[str | int, ...]
    message: str
    row: int = 0
    column: str = ""

    def shown(self) -> dict[str, Any]:
        """The flaw of a file, for people: {row, field, column, message}; null where the file as a whole is meant."""
        column = self.column or None
        return {
            "row": self.row or None,
            "field": self.field or None,
            "column": column,
            "message": self.message,
        }

    @property
    def pointer(self) -> str:
        """``path`` as a JSON pointer (RFC 6901), e.g. ``/destinations/0/datum``."""
        return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in self.path)

    @property
    def field(self) -> str:
        """``path`` as people write it, e.g. ``destinations.0.datum``."""
        return ".".join(map(str, self.path))


class RefusedError(GongcheError):
    """Records that may not be written; nothing was. ``conflict`` = they contradict what is stored (HTTP
    409).
    """

    def __init__(self, flaws: Sequence[Flaw], *, conflict: bool = False) -> None:
        super().__init__(flaws[0].message if flaws else "refused")
        self.flaws = list(flaws)
        self.conflict = conflict


class UnreadableError(RefusedError):
    """The file as a whole cannot be read: encoding, format, columns or size. Nothing was looked at
    further.
    """

    def __init__(self, message: str, *, field: str = "", row: int = 0) -> None:
        super().__init__([Flaw((field,) if field else (), message, row)])


class PlacedError(ValueError):
    """A ValueError of a validator that knows where, below its field, the trouble is."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path


# pydantic's error type -> our sentence; {names} are filled from the error's context.
_SENTENCES: Final = {
    "missing": "缺少必填项 · required, but missing",
    "extra_forbidden": "未知字段 · unknown field",
    "string_type": "应为文本 · must be a string",
    "string_too_long": "过长，至多 {max_length} 个字符 · at most {max_length} characters",
    "string_too_short": "不能为空 · must not be empty",
    "string_pattern_mismatch": "格式不符 · does not match {pattern}",
    "float_type": "应为数字 · must be a number",
    "float_parsing": "应为数字 · must be a number",
    "int_type": "应为整数 · must be an integer",
    "int_parsing": "应为整数 · must be an integer",
    "int_from_float": "应为整数 · must be an integer",
    "finite_number": "应为有限数字 · must be a finite number",
    "bool_type": "应为 true 或 false · must be true or false",
    "bool_parsing": "应为 true 或 false · must be true or false",
    "list_type": "应为数组 · must be an array",
    "dict_type": "应为对象 · must be an object",
    "model_type": "应为对象 · must be an object",
    "model_attributes_type": "应为对象 · must be an object",
    "too_long": "至多 {max_length} 项 · at most {max_length} items",
    "too_short": "至少 {min_length} 项 · at least {min_length} items",
    "greater_than": "应大于 {gt} · must be greater than {gt}",
    "greater_than_equal": "不得小于 {ge} · must be at least {ge}",
    "less_than": "应小于 {lt} · must be less than {lt}",
    "less_than_equal": "不得大于 {le} · must be at most {le}",
    "literal_error": "应为下列之一 · must be one of: {expected}",
    "enum": "应为下列之一 · must be one of: {expected}",
}


def sentence(error: Any) -> str:
    """The message for one entry of ``ValidationError.errors()`` (a dict), Chinese first."""
    context = error.get("ctx") or {}
    kind = error["type"]
    if kind == "missing" and error["loc"][-1:] == ("datum",):
        text = NO_DATUM
    elif kind in ("value_error", "assertion_error") and "error" in context:
        text = str(context["error"])
    elif kind in _SENTENCES:
        text = _SENTENCES[kind].format(**context)
    else:
        text = f"取值无效 · {error['msg']}"
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def explain(error: ValidationError, row: int = 0) -> list[Flaw]:
    """Every flaw that pydantic found, with its path and a sentence that a person can act on."""
    flaws = []
    for entry in error.errors(include_url=False, include_input=False):
        below = getattr((entry.get("ctx") or {}).get("error"), "path", ())
        flaws.append(Flaw((*entry["loc"], *below), sentence(entry), row))
    return flaws


async def refuse_future(connection: Connection, times: Iterable[datetime]) -> None:
    """Raises RefusedError for each of ``times`` that is more than AHEAD in the future by the database's clock."""
    latest = await connection.fetchval("SELECT clock_timestamp()") + AHEAD
    flaws = [Flaw(("at",), IN_FUTURE, row) for row, at in enumerate(times) if at > latest]
    if flaws:
        raise RefusedError(flaws)
