"""Handing a message over, by each kind of channel."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from office.messages import bots
from office.messages.mail import Mailer
from office.messages.outbox import Work
from office.messages.outcomes import SENT, Outcome, Result
from office.messages.texts import Item, Links, Text, cases_of, text_of
from office.posting.poster import Answer, Poster
from office.posting.signatures import key_of, signed_headers

#: Of the text of a mail or a webhook, in bytes.
_MOST_BYTES: Final = 15_000
_NO_MAIL: Final = Outcome(
    Result.LATER, "邮件服务器未配置 · no mail server is set up: GONGCHE_SMTP_HOST", shared=True
)


class Carrier:
    """``outside``: posts to public addresses only: for what a person set up. ``mailer``: None = there is no mail server."""

    def __init__(self, poster: Poster, outside: Poster, mailer: Mailer | None, links: Links) -> None:
        self._poster, self._outside, self._mailer, self._links = poster, outside, mailer, links

    async def carry(self, work: Work, address: str, secret: str | None, items: Sequence[Item]) -> Outcome:
        """Hand a message about ``items`` over. Whatever happens is an Outcome, and none has what opens the channel in it."""
        kind, skipped = work.kind, work.skipped
        most = bots.BOTS[kind].most_bytes if kind in bots.BOTS else _MOST_BYTES
        text = text_of(items, skipped, self._links, most)
        if kind == "webhook":
            data = {
                "text": text.body,
                "count": cases_of(items) + skipped,
                "items": [
                    {
                        "case": item.case,
                        "number": item.number,
                        "step": item.step,
                        "state": item.state,
                        "link": self._links.of(item.case),
                    }
                    for item in items
                ],
            }
            return await self._webhook(work, address, secret, "cn.gongche.message.v1", data)
        return await self._text(work, address, secret, text)

    async def carry_code(
        self, work: Work, address: str, secret: str | None, text: Text, code: str
    ) -> Outcome:
        """Hand a code over, whose ``text`` it is."""
        if work.kind == "webhook":
            data = {"text": text.body, "code": code}
            return await self._webhook(work, address, secret, "cn.gongche.confirm.v1", data)
        return await self._text(work, address, secret, text)

    async def _text(self, work: Work, address: str, secret: str | None, text: Text) -> Outcome:
        kind = work.kind
        if kind == "email":
            return (
                _NO_MAIL if self._mailer is None else await self._mailer.send(address, text, work.message_id)
            )
        url, body = bots.request(kind, address, secret, text.body, time.time())
        answer = await self._poster.post(
            url, {"content-type": "application/json; charset=utf-8", "user-agent": "gongche"}, body
        )

        def hide(said: str) -> str:
            return hidden(said, [*bots.secrets_in(url), *([secret] if secret else [])])

        return bots.outcome(kind, answer, hide)

    async def _webhook(
        self, work: Work, address: str, secret: str | None, kind: str, data: dict[str, Any]
    ) -> Outcome:
        at = int(time.time())
        body = orjson.dumps({"type": kind, "timestamp": _rfc3339(at), "data": data})
        headers = signed_headers([key_of(secret or "")], work.message_id, at, body, "application/json")
        poster = self._outside if work.personal else self._poster
        answer = await poster.post(address, headers, body)
        return webhook_outcome(answer, lambda said: hidden(said, bots.secrets_in(address)))


def _rfc3339(at_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


def webhook_outcome(answer: Answer, hide: Callable[[str], str] = str) -> Outcome:
    """What the answer of a webhook means."""
    if answer.error is None:
        return SENT
    error = hide(answer.error)
    if answer.status == 410:
        return Outcome(Result.REFUSED, error)
    if answer.status == 429:
        return Outcome(Result.SLOWER, error, float(answer.retry_after_s or 60))
    return Outcome(Result.LATER, error, float(answer.retry_after_s or 0))


def hidden(said: str, opens: Sequence[str]) -> str:
    """``said`` without ``opens``: a receiver may repeat the address that it was asked at."""
    for part in sorted(opens, key=len, reverse=True):
        said = said.replace(part, "***")
    return said
