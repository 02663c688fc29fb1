"""Bots of group chats: WeCom (企业微信), DingTalk (钉钉), Feishu (飞书). Pure: addresses, bodies, signatures, limits, and what an
answer means.

Written from the makers' descriptions and tested against stand-ins that keep their limits, not against the services themselves.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson

from office.messages.outcomes import SENT, Outcome, Result
from office.posting.poster import Answer


@dataclass(frozen=True, slots=True)
class Bot:
    """``host``: of the service. ``address``: pattern of path and query of a bot's address. ``per_min``, ``burst``: so many
    messages a minute, and so many at once: below the limit whatever the moment from which the service counts. ``silent_s``:
    after too many it takes nothing for so long. ``most_bytes``: of a text. ``most_body``: of the whole body."""

    name: str
    host: str
    address: re.Pattern[str]
    per_min: float
    burst: float
    silent_s: float
    most_bytes: int
    most_body: int


#: 20 a minute and 2,048 bytes of text: WeCom, "群机器人配置说明". 20 a minute, then silent for 10 minutes: DingTalk, "自定义机器人接入".
#: 100 a minute, 5 a second, 20 KB of body: Feishu, "自定义机器人使用指南".
BOTS: Final[Mapping[str, Bot]] = {
    "wecom": Bot("企业微信", "qyapi.weixin.qq.com", re.compile(r"/cgi-bin/webhook/send\?key=[A-Za-z0-9-]{8,100}"), 15, 3, 60, 2_048, 20_000),
    "dingtalk": Bot("钉钉", "oapi.dingtalk.com", re.compile(r"/robot/send\?access_token=[A-Za-z0-9]{8,200}"), 15, 3, 600, 15_000, 20_000),
    "feishu": Bot("飞书", "open.feishu.cn", re.compile(r"/open-apis/bot/v2/hook/[A-Za-z0-9-]{8,100}"), 90, 3, 60, 15_000, 20_000),
}  # fmt: skip


def is_address(kind: str, url: str, more_hosts: frozenset[str]) -> bool:
    """Whether ``url`` is the address of a bot of ``kind``. ``more_hosts``: of installations of one's own."""
    bot, parts = BOTS[kind], urlsplit(url)
    rest = parts.path + (f"?{parts.query}" if parts.query else "")
    return (parts.hostname == bot.host or parts.hostname in more_hosts) and bool(bot.address.fullmatch(rest))


def request(kind: str, url: str, secret: str | None, text: str, now_s: float) -> tuple[str, bytes]:
    """(address, body) of a message. ``now_s``: our clock; DingTalk and Feishu refuse one that is wrong by more than an hour."""
    body: dict[str, Any] = {"msgtype": "text", "text": {"content": text}}
    if kind == "dingtalk" and secret:
        stamp = str(int(1000 * now_s))
        url += "&" + urlencode({"timestamp": stamp, "sign": dingtalk_sign(secret, stamp)})
    if kind == "feishu":
        body = {"msg_type": "text", "content": {"text": text}}
        if secret:
            stamp = str(int(now_s))
            body |= {"timestamp": stamp, "sign": feishu_sign(secret, stamp)}
    made = orjson.dumps(body)
    if len(made) > BOTS[kind].most_body:
        raise ValueError(f"a message of {len(made)} bytes for {kind}")
    return url, made


def dingtalk_sign(secret: str, stamp_ms: str) -> str:
    """Base64 of HMAC-SHA256 of "<ms>\\n<secret>" with the secret as key."""
    text = f"{stamp_ms}\n{secret}"
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha256)).decode()


def feishu_sign(secret: str, stamp_s: str) -> str:
    """Base64 of HMAC-SHA256 of nothing, with "<s>\\n<secret>" as key."""
    return base64.b64encode(hmac.digest(f"{stamp_s}\n{secret}".encode(), b"", hashlib.sha256)).decode()


_CODE: Final = {
    "wecom": re.compile(r'"errcode"\s*:\s*(-?\d+)'),
    "dingtalk": re.compile(r'"errcode"\s*:\s*(-?\d+)'),
    "feishu": re.compile(r'"(?:code|StatusCode)"\s*:\s*(-?\d+)'),
}
_TOO_MANY: Final = {
    "wecom": {45009, 45033},
    "dingtalk": {130101, 410100, 90018},
    "feishu": {11232, 11233, 9499},
}
#: The bot is gone or its settings keep the message out: no later attempt mends that.
_NEVER: Final = {
    "wecom": {93000, 93004, 93008, 40001, 40014, 40035, 40058, 44004, 45002},
    "dingtalk": {310000, 300001, 300005, 400013, 400101, 400102, 400105, 43004},
    "feishu": {19001, 19002, 19022, 19024, 10003},
}


def outcome(kind: str, answer: Answer, hide: Callable[[str], str]) -> Outcome:
    """What an answer of a bot means. ``hide``: takes what opens the bot out of a text that the service said."""
    bot, said = BOTS[kind], hide(answer.text or "")
    found = _CODE[kind].search(said)
    if found is None:
        if answer.status == 429:
            return Outcome(Result.SLOWER, _refused(bot, "429"), answer.retry_after_s or bot.silent_s)
        why = answer.error or "答复不是机器人接口的答复 · not an answer of a bot"
        return Outcome(Result.LATER, hide(why), float(answer.retry_after_s or 0))
    code = int(found[1])
    if code == 0 and answer.error is None:
        return SENT
    error = _refused(bot, f"{code} {said[:200]}")
    if code in _TOO_MANY[kind]:
        return Outcome(Result.SLOWER, error, bot.silent_s)
    # 310000 is also said of a clock that is wrong: that of ours, and it may be put right.
    if code in _NEVER[kind] and not (code == 310000 and "timestamp" in said.lower()):
        return Outcome(Result.REFUSED, error)
    return Outcome(Result.LATER, error)


def _refused(bot: Bot, what: str) -> str:
    return f"{bot.name}机器人拒绝 · the bot refused: {what}"


def secrets_in(url: str) -> list[str]:
    """Those parts of a bot's address that open it: they are shown nowhere."""
    parts = urlsplit(url)
    values = [value for several in parse_qs(parts.query).values() for value in several]
    return [part for part in (url, parts.query, *values, parts.path.rpartition("/")[2]) if len(part) >= 8]
