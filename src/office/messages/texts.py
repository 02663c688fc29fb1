"""What a message says: number, state and link of a case, and nothing else. Pure.

Mail, webhooks and group chats are read by others on the way. So nothing that names a person, a vehicle or a place can get in here:
what a text is made of is ``Item``, which has no such field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Lines of a digest, at most; how many there are besides is said.
MOST_LINES: Final = 20


@dataclass(frozen=True, slots=True)
class Item:
    """A step of a case, or of a request or dispatch (``case`` is its path then, trip-requests/<id>). ``sentence``: number, step and state in words (office.supervision.messages.sentence)."""

    case: str
    number: str | None
    step: str
    state: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Text:
    """``subject``: one line. ``body``: lines of plain text."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Links:
    """Where people find it: ``case`` with {id}, ``home``: where they sign in; None = not known."""

    case: str | None
    home: str | None

    def of(self, case: str) -> str | None:
        """The link to a case; of a trip to where people sign in."""
        if "/" in case:
            return self.home
        return None if self.case is None else self.case.replace("{id}", case)


def printable(text: str, most: int = 300) -> str:
    """``text`` without what ends a line or is not seen: it may become a header of a mail."""
    return "".join(c if c.isprintable() else " " for c in text[:most])


def cases_of(items: Sequence[Item]) -> int:
    """How many cases ``items`` are about."""
    return len({item.case for item in items})


def text_of(items: Sequence[Item], skipped: int, links: Links, most_bytes: int) -> Text:
    """The text of one message, or a digest of several. ``skipped``: messages that did not fit into the queue. At most
    ``most_bytes`` of UTF-8 in the body."""
    if len(items) == 1 and not skipped:
        (item,) = items
        link = links.of(item.case)
        lines = [printable(item.sentence), link or _sign_in(links)]
        return Text(printable(item.sentence), _fitting(lines, most_bytes))
    # Of a case the newest step only.
    newest = list({item.case: item for item in items}.values())
    what = "件待办" if any("/" in item.case for item in newest) else "件督办待处理"
    subject = f"您有 {len(newest) + skipped} {what}"
    lines = [f"{subject}：", *(printable(item.sentence) for item in newest[:MOST_LINES])]
    if (rest := max(0, len(newest) - MOST_LINES) + skipped) > 0:
        lines.append(f"另有 {rest} 件未列出。")
    lines.append(_sign_in(links))
    return Text(subject, _fitting(lines, most_bytes))


def code_text(code: str, minutes: int, links: Links) -> Text:
    """The text that carries a code."""
    subject = "公务用车监督系统：确认消息地址"
    lines = [
        f"确认码：{code}，{minutes} 分钟内有效。请在系统的消息设置中输入，确认后此处才会收到督办消息。",
        "如非本人操作，请忽略，不要把确认码告诉他人。",
        f"Code to confirm this address: {code}. If you did not ask for it, ignore this message.",
        *([links.home] if links.home else []),
    ]
    return Text(subject, "\n".join(lines))


def _sign_in(links: Links) -> str:
    return f"请登录系统办理：{links.home}" if links.home else "请登录系统办理。"


def _fitting(lines: Sequence[str], most_bytes: int) -> str:
    """The lines, of which those in the middle are left out until it fits; the first and the last stay."""
    kept = list(lines)
    while len(kept) > 2 and len("\n".join(kept).encode()) > most_bytes:
        del kept[-2]
    return "\n".join(kept).encode()[:most_bytes].decode("utf-8", "ignore")
