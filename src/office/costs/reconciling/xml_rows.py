"""XML of vouchers as rows: each element that is a line, with its fields and those before it in what encloses it. Pure.

Read by a parser that keeps one line in memory, refuses a DOCTYPE (and so every entity, and with them bombs), and is bounded in depth, text and
lines. UTF-8, or GBK where the declaration says so.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection
from typing import Final
from xml.parsers import expat

from registry.damaged import from_gb18030
from registry.refusals import UnreadableError
from registry.statements.sheets import MAX_ROWS, MAX_TEXT

_MAX_DEPTH: Final = 32
#: Fields of one element, and of what encloses it.
_MAX_FIELDS: Final = 200
_DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_GB: Final = frozenset({b"gbk", b"gb2312", b"gb18030", b"gb_2312-80", b"cp936"})

#: Is given a line: its number among the lines of the file, from 1, and its fields.
Take = Callable[[int, dict[str, str]], None]


def xml_rows(data: bytes, records: Collection[str], take: Take) -> None:
    """Give ``take`` each of the elements named as one of ``records``. Raises UnreadableError for what is no such XML, whole; what was given
    before counts for nothing then."""
    reader = _Reader(frozenset(records), take)
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(_as_utf8(data), True)
    except (expat.ExpatError, ValueError) as error:
        line = getattr(error, "lineno", parser.CurrentLineNumber)
        raise UnreadableError(
            f"第 {line} 行附近不是完整的 XML，请从财务系统重新导出 · not well-formed XML near line {line}; export it again", row=line
        ) from None  # fmt: skip
    if not reader.count:
        raise UnreadableError(
            f"XML 中没有凭证分录元素（{'、'.join(sorted(records))}）；元素名称不同的，请先保存对照（record） · no element of a line; save a mapping that names it"
        )  # fmt: skip


def _as_utf8(data: bytes) -> bytes:
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise UnreadableError(
            "文件为 UTF-16，请以 UTF-8 或 GBK 导出 · the file is UTF-16; export it as UTF-8 or GBK"
        )
    data = data.removeprefix(codecs.BOM_UTF8).lstrip()
    declared = _DECLARED.match(data)
    name = declared[1].lower() if declared else b"utf-8"
    if name in (b"utf-8", b"utf8"):
        return data
    if name not in _GB:
        raise UnreadableError(
            "XML 的编码应为 UTF-8 或 GBK，请重新导出 · the encoding must be UTF-8 or GBK; export it again"
        )
    try:
        return from_gb18030(data.decode("gb18030")).encode()
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"第 {error.start + 1} 个字节不是 GBK，请重新导出 · byte {error.start + 1} is not GBK; export it again"
        ) from None


class _Reader:
    """Handlers. ``_scopes``: the fields of each element that is open, the outermost first."""

    def __init__(self, records: frozenset[str], take: Take) -> None:
        self.count = 0
        self._records, self._take = records, take
        self._scopes: list[dict[str, str]] = []
        self._names: list[str] = []
        self._said: list[str] = []
        self._length = 0
        self._leaf = False

    def doctype(self, *_: object) -> None:
        raise UnreadableError(
            "XML 含有 DOCTYPE，不予读取；请重新导出 · a DOCTYPE is not accepted; export it again"
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._scopes) >= _MAX_DEPTH:
            raise UnreadableError(
                f"XML 嵌套超过 {_MAX_DEPTH} 层，请重新导出 · nested deeper than {_MAX_DEPTH}"
            )
        self._names.append(name.rpartition(":")[2] if ":" in name else name)
        found = (
            {key.rpartition(":")[2]: value[:MAX_TEXT] for key, value in attributes.items()}
            if attributes
            else {}
        )
        self._scopes.append(found)
        self._clear()
        self._leaf = True

    def text(self, text: str) -> None:
        self._length += len(text)
        if self._length <= MAX_TEXT:
            self._said.append(text)

    def end(self, _: str) -> None:
        name, scope = self._names.pop(), self._scopes.pop()
        if name in self._records:
            self._record(scope)
        elif self._leaf and self._scopes:
            above = self._scopes[-1]
            if len(above) >= _MAX_FIELDS:
                raise UnreadableError(
                    f"一个元素超过 {_MAX_FIELDS} 项，请重新导出 · more than {_MAX_FIELDS} fields"
                )
            above[name] = "".join(self._said).strip()
        self._clear()
        self._leaf = False

    def _record(self, scope: dict[str, str]) -> None:
        if self.count >= MAX_ROWS:
            raise UnreadableError(
                f"超过 {MAX_ROWS} 行，请分期间导入 · more than {MAX_ROWS} lines; import by period"
            )
        found: dict[str, str] = {}
        for fields in self._scopes:
            found |= fields
        self.count += 1
        self._take(self.count, found | scope)

    def _clear(self) -> None:
        self._said.clear()
        self._length = 0
