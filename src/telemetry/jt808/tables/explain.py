"""A frame in words, field by field: what each byte says, by which clause, and what is wrong with it.

Unlike the rest of the codec it goes on where a frame is broken: who looks for a fault in a terminal wants to see the frame that has
it. What a server would have made of such a frame is in ``Explained.refused``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.framing import (
    MAX_BODY,
    MAX_MESSAGE,
    MIN_MESSAGE,
    checksum,
    decode_segment,
)
from telemetry.jt808.scalar.header import VERSION_FLAG, Header, Version, build_header, parse_header
from telemetry.jt808.tables import codec
from telemetry.jt808.tables.catalogue import CATALOGUE
from telemetry.jt808.tables.composite import Numbers, Rows
from telemetry.jt808.tables.dialects import item_parts
from telemetry.jt808.tables.grammar import Bcd, Cursor, Element, Num, Part, Raw, Value
from telemetry.jt808.tables.items import item_fields, item_label, item_lengths
from telemetry.jt808.tables.position import ITEMS
from telemetry.jt808.tables.shown import oddity

#: Fields of one frame that are explained; the rest is counted.
MAX_FIELDS: Final = 5000


@dataclass(frozen=True, slots=True)
class Explained:
    """One field: ``path`` by its names, ``offset`` in the message (header and body, unescaped), ``raw`` its bytes, ``element`` with label and
    unit, ``value`` as ``codec.decode`` gives it; ``remark``: what is odd about it, as Chinese|English."""

    path: str
    offset: int
    raw: bytes
    element: Element
    value: Value
    remark: str = ""

    @property
    def depth(self) -> int:
        return self.path.count("/")


@dataclass(frozen=True, slots=True)
class Speaker:
    """What is known of the terminal that speaks: its edition (2011 and 2013 have the same header), who made it."""

    edition: Version | None = None
    manufacturer: str = ""
    model: str = ""


NOBODY: Final = Speaker()


@dataclass(slots=True)
class Explanation:
    """A frame or a message that was put together. ``problems`` are wrong (a server refuses the frame, or loses what is
    named), as Chinese|English; oddities stand at the fields. ``edition``: None where no edition has the message."""

    raw: bytes
    speaker: Speaker = NOBODY
    header: Header | None = None
    label: str = ""
    clause: str = ""
    edition: Version | None = None
    fields: list[Explained] = field(default_factory=list)
    leftovers: bytes = b""
    problems: list[str] = field(default_factory=list)
    body: bytes = b""
    packages: int = 0
    more_fields: int = 0

    @property
    def introduced(self) -> Speaker | None:
        """What a registration (0x0100) says of its terminal; None for any other message, and for one that is wrong."""
        if self.header is None or self.header.id != MessageId.REGISTER or self.problems:
            return None
        values = {one.path: one.value for one in self.fields}
        return Speaker(self.edition, str(values.get("manufacturer", "")), str(values.get("model", "")))

    @property
    def odd(self) -> int:
        """How many fields are odd."""
        return sum(bool(one.remark) for one in self.fields)


_ID = Num("message_id", "消息 ID|message id", 2)
_PROPERTIES = Num("properties", "消息体属性|properties", 2)
_PROTOCOL = Num("protocol_version", "协议版本号|protocol version", 1)
_SERIAL = Num("serial", "消息流水号|serial", 2)
_TOTAL = Num("total", "消息总包数|packages", 2)
_INDEX = Num("index", "包序号|number of the package", 2)
_BODY = Raw("body", "消息体|body")
_CHECKSUM = Num("checksum", "校验码|checksum", 1)


def explain_segment(segment: bytes, speaker: Speaker = NOBODY) -> Explanation:
    """What stands between two delimiters."""
    told = Explanation(segment, speaker)
    data, strays = _unescaped(segment)
    if strays:
        told.problems.append(
            f"转义错误：7D 之后不是 01 或 02（{strays} 处）|bad escape: 7D followed by neither 01 nor 02, {strays} times"
        )
    if len(data) <= MIN_MESSAGE:
        told.problems.append(
            f"太短：{len(data)} 字节，消息头加校验码至少 {MIN_MESSAGE + 1}|too short: {len(data)} bytes, header and checksum have at"
            f" least {MIN_MESSAGE + 1}"
        )
        return told
    message = data[:-1]
    if checksum(data):
        right = checksum(message)
        told.problems.append(
            f"校验码错误：{data[-1]:02x}，应为 {right:02x}|wrong checksum: {data[-1]:02x}, should be {right:02x}"
        )
    if len(message) > MAX_MESSAGE:
        told.problems.append(
            f"太长：{len(message)} 字节，最多 {MAX_MESSAGE}|too long: {len(message)} bytes, at most {MAX_MESSAGE}"
        )
    if not strays and isinstance(refused := decode_segment(segment), Rejection) and not told.problems:
        told.problems.append(f"{refused.detail}|{refused.detail}")
    explain_message(told, message)
    _keep(told, _CHECKSUM, "checksum", len(message), data[-1:], data[-1])
    return told


def _unescaped(segment: bytes) -> tuple[bytes, int]:
    """``segment`` unescaped; what is no escape stays, and is counted."""
    first, *others = segment.split(b"\x7d")
    out, strays = bytearray(first), 0
    for piece in others:
        if piece[:1] == b"\x01":
            out += b"\x7d" + piece[1:]
        elif piece[:1] == b"\x02":
            out += b"\x7e" + piece[1:]
        else:
            out += b"\x7d" + piece
            strays += 1
    return bytes(out), strays


def explain_message(told: Explanation, message: bytes) -> None:
    """Put header and body of an unescaped message without checksum into ``told``."""
    parsed = parse_header(message)
    if isinstance(parsed, Rejection):
        told.problems.append(_refused_header(message, parsed))
        forced = _forced(message)
        if forced is None:
            return
        header, body = forced
    else:
        header, body = parsed
    told.body = body
    told.header = header
    _name(told, header)
    _explain_header(told, header, message)
    start = len(message) - len(body)
    if header.encryption:
        _keep(told, _BODY, "body", start, body, body, "消息体已加密，无法解析|the body is encrypted")
    elif header.total > 1:
        _explain_package(told, header, body, start)
    else:
        _explain_body(told, header.id, body, start)


def explain_whole(headers: Sequence[Header], body: bytes, speaker: Speaker = NOBODY) -> Explanation:
    """A message that was put together from its packages. Offsets are those in its body."""
    told = Explanation(body, speaker, headers[0], body=body, packages=len(headers))
    _name(told, headers[0])
    _explain_body(told, headers[0].id, body, 0)
    return told


def _refused_header(message: bytes, refused: Rejection) -> str:
    length = int.from_bytes(message[2:4], "big") & MAX_BODY
    if refused.reason == "length_mismatch":
        forced = _forced(message)
        real = len(forced[1]) if forced else 0
        return f"消息体长度不符：长度字段 {length}，实际 {real}|length field {length}, body {real}"
    return f"分包序号有误（{refused.detail}）|{refused.detail}"


def _forced(message: bytes) -> tuple[Header, bytes] | None:
    """Header and body where the length field or the numbers of the packages are wrong: as its flags say."""
    properties = int.from_bytes(message[2:4], "big")
    fixed = (17 if properties & VERSION_FLAG else 12) + 4 * bool(properties & 1 << 13)
    body = message[fixed:]
    if len(message) < fixed:
        return None
    at = fixed - 4 if properties & 1 << 13 else fixed
    patched = bytearray(message[:fixed])
    patched[2:4] = (properties & ~MAX_BODY | min(len(body), MAX_BODY)).to_bytes(2, "big")
    real = bytes(patched[at:fixed])
    if real:
        patched[at:fixed] = b"\x00\x01\x00\x01"
    parsed = parse_header(bytes(patched) + body[:MAX_BODY])
    return None if isinstance(parsed, Rejection) else (parsed[0], body)


def _name(told: Explanation, header: Header) -> None:
    message = CATALOGUE.get(header.id)
    if message is None:
        told.label = "标准没有的消息|not in the standard"
        return
    told.label = message.label
    told.edition = codec.likely(header.id, told.speaker.edition or header.version)[0]


def _explain_header(told: Explanation, header: Header, message: bytes) -> None:
    at = 0
    sizes = len(build_header(header))

    def take(element: Element, name: str, width: int, value: Value, remark: str = "") -> None:
        nonlocal at
        _keep(told, element, f"header/{name}", at, message[at : at + width], value, remark)
        at += width

    properties = int.from_bytes(message[2:4], "big")
    take(_ID, "message_id", 2, header.id)
    take(_PROPERTIES, "properties", 2, properties, _odd_properties(header, properties))
    if sizes - 4 * header.fragmented == 17:
        take(_PROTOCOL, "protocol_version", 1, header.protocol_version)
    phone = Bcd("phone", "终端手机号|phone of the terminal", len(header.phone) // 2)
    take(phone, "phone", phone.width, header.phone, oddity(phone, header.phone))
    take(_SERIAL, "serial", 2, header.serial)
    if header.fragmented:
        take(_TOTAL, "total", 2, int.from_bytes(message[at : at + 2], "big"))
        take(_INDEX, "index", 2, int.from_bytes(message[at : at + 2], "big"))


def _odd_properties(header: Header, properties: int) -> str:
    if properties & 1 << 15:
        return "保留位 15 被置 1|reserved bit 15 is set"
    wide = header.version is Version.V2019
    if wide and not header.version_flag:
        return "消息头是 2019 格式，但版本标识（位 14）为 0|a header of 2019 without its flag, bit 14"
    if header.version_flag and not wide:
        return "版本标识（位 14）为 1，但消息头是 2013 格式|the flag of 2019, bit 14, over a header of 2013"
    return ""


def _explain_package(told: Explanation, header: Header, body: bytes, start: int) -> None:
    """One package of several: only the first begins with fields that can be told."""
    if header.index == 1 and told.edition is not None:
        cursor = Cursor(body, len(body), parts=[])
        codec.read(header.id, told.edition, cursor)
        _keep_parts(told, cursor, start)
        rest, start = body[cursor.at :], start + cursor.at
    else:
        rest = body
    if rest:
        _keep(told, _BODY, "body", start, rest, rest)
    told.clause = _clause(told)


def _explain_body(told: Explanation, message_id: int, body: bytes, start: int) -> None:
    if told.edition is None:
        if body:
            _keep(told, _BODY, "body", start, body, body)
        return
    best: tuple[int, codec.Body | Rejection, Cursor, Version] | None = None
    for edition in codec.likely(message_id, told.edition):
        cursor = Cursor(body, len(body), parts=[])
        result = codec.read(message_id, edition, cursor)
        score = _score(result, cursor)
        if best is None or score > best[0]:
            best = score, result, cursor, edition
    if best is None:
        return
    _, result, cursor, edition = best
    if edition is not told.edition:
        told.edition = edition
    told.clause = _clause(told)
    _keep_parts(told, cursor, start)
    if isinstance(result, Rejection):
        told.problems.append(f"消息体不完整：{result.detail}|the body ends too early: {result.detail}")
        told.leftovers = body[cursor.at :]
    elif result.leftovers:
        told.leftovers = result.leftovers
        told.problems.append(
            f"消息体末尾多出 {len(result.leftovers)} 字节：{result.leftovers[:32].hex()}|{len(result.leftovers)} bytes left over behind the"
            f" body: {result.leftovers[:32].hex()}"
        )


def _score(result: codec.Body | Rejection, cursor: Cursor) -> int:
    """How well an edition fits: the whole body without oddities is best."""
    if isinstance(result, Rejection):
        return 0
    odd = any(oddity(part.element, part.value) for part in (cursor.parts or ())[:MAX_FIELDS])
    return 1 + 2 * (not result.leftovers) + (not result.remarks) + (not odd)


def _clause(told: Explanation) -> str:
    return (
        ""
        if told.edition is None or told.header is None
        else CATALOGUE[told.header.id].id.clauses[told.edition]
    )


def _keep_parts(told: Explanation, cursor: Cursor, start: int) -> None:
    item: Part | None = None
    for part in cursor.parts or ():
        if part.element is _ITEM_ID:
            item = part
        elif part.element is _ITEM_VALUE and item is not None:
            _keep_item(told, item, part, start)
        elif part.raw or not isinstance(part.element, Rows):
            remark = part.remark or oddity(part.element, part.value)
            _keep(told, part.element, part.path, start + part.offset, part.raw, part.value, remark)


_ITEM_ID, _ITEM_VALUE = ITEMS.table
#: An item with more fields is shown as a list: the pressure of thirty tyres, of which those at the end are mostly not there (FF).
_MANY: Final = 8


def _keep_item(told: Explanation, item: Part, part: Part, start: int) -> None:
    """An additional item of a position as one field, or as a field with fields of its own, where the standard knows them."""
    if not isinstance(item.value, int) or not isinstance(part.value, bytes):
        return
    identity, value = item.value, part.value
    path, offset, raw = item.path.rpartition("/")[0], start + item.offset, item.raw + part.raw
    fields = item_fields(identity, value)
    whole = Raw(f"{identity:02x}", f"{identity:02X} {item_label(identity).replace('|', f'|{identity:02X} ')}")
    dialect = item_parts(identity, value, told.speaker.manufacturer, told.speaker.model)
    if dialect is not None:
        _keep(told, whole, path, offset, raw, None)
        for one in dialect[1]:
            if one.raw or not isinstance(one.element, Rows):
                remark = one.remark or oddity(one.element, one.value)
                _keep(
                    told,
                    one.element,
                    f"{path}/{one.path}",
                    offset + 2 + one.offset,
                    one.raw,
                    one.value,
                    remark,
                )
    elif fields is None:
        lengths = "/".join(map(str, item_lengths(identity)))
        odd = f"长度 {len(value)}，应为 {lengths}|length {len(value)}, should be {lengths}" if lengths else ""
        _keep(told, whole, path, offset, raw, value, odd)
    elif len(fields) == 1:
        element, _, only = fields[0]
        _keep(told, replace(element, label=whole.label), path, offset, raw, only, _odd_item(element, only))
    elif len(fields) > _MANY:
        listed = Numbers(whole.name, whole.label, 1)
        _keep(told, listed, path, offset, raw, list(value.rstrip(b"\xff")))
    else:
        _keep(told, whole, path, offset, raw, None)
        at = offset + 2
        for element, its, only in fields:
            _keep(told, element, f"{path}/{element.name}", at, its, only, _odd_item(element, only))
            at += len(its)


def _odd_item(element: Element, value: Value) -> str:
    return "终端表示无此数据|the terminal says that it has none" if value is None else oddity(element, value)


def _keep(
    told: Explanation, element: Element, path: str, offset: int, raw: bytes, value: Value, remark: str = ""
) -> None:
    if len(told.fields) >= MAX_FIELDS:
        told.more_fields += 1
    else:
        told.fields.append(Explained(path, offset, raw, element, value, remark))
