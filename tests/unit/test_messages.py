"""Messages to people, the pure parts: what they say, to whom they go, how much a bot takes, what an answer means."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from office.identity.subject import Role, grants_of_role
from office.messages import bots, budgets, channels
from office.messages.carriers import hidden, webhook_outcome
from office.messages.channels import Rules, check_address, is_quiet, masked
from office.messages.mail import Mailer, mail_address
from office.messages.outbox import Row, choose
from office.messages.outcomes import Result
from office.messages.receivers import Person, Receivers, UnitChannel
from office.messages.texts import Item, Links, Text, code_text, text_of
from office.posting.addresses import Policy
from office.posting.poster import Answer
from office.supervision.messages import sentence
from office.supervision.states import STATE_NAMES, STEP_NAMES, State, Step
from registry.refusals import RefusedError
from runtime.errors import ConfigurationError
from runtime.settings import Settings
from tests.examples import examples
from tests.integration.bot_server import BotServer, limits, paths

LINKS = Links("https://gongche.example.gov.cn/v1/cases/{id}", "https://gongche.example.gov.cn")
NUMBER = re.compile(r"督办单 [\w〔〕-]+号：")
#: All that a text may be made of, besides numbers of cases and links.
WORDS = re.compile(
    "|".join(
        sorted(
            {
                *map(re.escape, STEP_NAMES.values()), *map(re.escape, STATE_NAMES.values()),
                "督办单 ", "（未编号）：", "，现为", "您有 ", " 件督办待处理", "：", "另有 ", " 件未列出。", "请登录系统办理：", "请登录系统办理。",
                re.escape("https://gongche.example.gov.cn"), "/v1/cases/[0-9a-f]+", r"\d+", "\n",
            },
            key=len, reverse=True,
        )
    )
)  # fmt: skip


def item(step: Step, state: State, number: str | None, case: str = "c0ffee") -> Item:
    return Item(case, number, step, state, sentence(number, step, state))


@settings(max_examples=examples(60))
@given(
    st.lists(st.tuples(st.sampled_from(Step), st.sampled_from(State), st.integers(0, 10**6), st.booleans()), min_size=1, max_size=60),
    st.integers(0, 300),
)  # fmt: skip
def test_a_message_has_number_state_and_link_and_nothing_else(steps: Any, skipped: int) -> None:
    items = [
        item(step, state, f"通公车督〔2026〕A01-{n:06}号" if issued else None, f"{n:x}")
        for step, state, n, issued in steps
    ]
    text = text_of(items, skipped, LINKS, 15_000)
    for said in (text.subject, text.body):
        left = WORDS.sub("", NUMBER.sub("", said))
        assert left == "", (left, said)  # no name, plate or place has any room
    assert "\n" not in text.subject
    cases = len({one.case for one in items})
    if len(items) > 1 or skipped:
        assert text.subject == f"您有 {cases + skipped} 件督办待处理"


def test_every_kind_of_message_has_words() -> None:
    for step in Step:
        for state in State:
            assert sentence("1号", step, state) == f"督办单 1号：{STEP_NAMES[step]}，现为{STATE_NAMES[state]}"
    assert set(Item.__dataclass_fields__) == {"case", "number", "step", "state", "sentence"}


@settings(max_examples=examples(40))
@given(st.integers(1, 100), st.integers(60, 3_000))
def test_a_text_fits(count: int, most: int) -> None:
    items = [item(Step.ISSUE, State.ISSUED, f"通公车督〔2026〕A01-{n:06}号", f"{n:x}") for n in range(count)]
    assert len(text_of(items, 0, LINKS, most).body.encode()) <= most


def test_a_code_is_told_alone() -> None:
    said = code_text("ABCD2345", 30, LINKS)
    assert "ABCD2345" in said.body
    assert "ABCD" not in said.subject


# --- mail


@pytest.mark.parametrize(
    "text",
    [
        "a@b.cn\r\nBcc: x@y.cn", "a@b.cn\nX: y", "a@b.cn, c@d.cn", "a b@c.cn", "<a@b.cn>", "a@b", "@b.cn", "a@", "a@b..cn", "a@@b.cn",
        "张@b.cn", "a@[127.0.0.1]", '"a b"@c.cn', f"{'x' * 65}@b.cn", f"a@{'b' * 64}.cn", "a@b.cn\0", "a@-b.cn", "a@b.cn ", ".a@b.cn",
        "a..b@c.cn", "a@b.cn>", "a@b.cn SIZE=1", "",
    ],
)  # fmt: skip
def test_what_is_no_address_is_none(text: str) -> None:
    assert mail_address(text) is None


@given(st.text(max_size=40))
def test_no_address_ends_a_line(text: str) -> None:
    for tried in (text, f"{text}@b.cn", f"a@{text}.cn", f"a@b.cn{text}"):
        if (found := mail_address(tried)) is not None:
            assert found.isascii()
            assert not re.search(r"[\s<>,;:\"\\]", found)


def mailer(**more: Any) -> Mailer:
    return Mailer(
        Settings(
            **{"smtp_host": "127.0.0.1", "smtp_tls": "none", "smtp_from": "gongche@example.gov.cn"} | more
        )
    )


def test_a_mail_is_one_mail_whatever_its_subject(tmp_path: Any) -> None:
    made = mailer()
    raw = made.message("a@b.cn", Text("督办\r\nBcc: x@y.cn\u2028\x85Cc: z", ".\r\n..\r\n.\r\nQUIT"), "u.1")
    heads = raw.split(b"\r\n\r\n")[0].decode("ascii").lower().split("\r\n")
    assert not any(line.startswith(("bcc:", "cc:")) for line in heads)
    assert b"Message-ID: <u.1@example.gov.cn>" in raw
    assert b"\r\n.\r\n" not in raw
    with pytest.raises(ValueError, match="address"):
        made.message("a@b.cn\r\nBcc: x@y.cn", Text("x", "x"), "1")


def test_mail_in_the_clear_needs_a_word(tmp_path: Any) -> None:
    secret = tmp_path / "password"
    secret.write_text("x")
    secret.chmod(0o644)
    for more, says in (
        ({"smtp_host": "mail.example.gov.cn"}, "SMTP_PLAIN_ALLOWED"),
        ({"smtp_from": None}, "SMTP_FROM"),
        ({"smtp_from": "a@b.cn\nBcc: c@d.cn"}, "SMTP_FROM"),
        ({"smtp_user": "x"}, "SMTP_PASSWORD_FILE"),
        ({"smtp_user": "x", "smtp_password_file": secret}, "open to other users"),
        ({"smtp_ca_file": tmp_path / "none.pem"}, "SMTP_CA_FILE"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            mailer(**more)
        assert says in f"{caught.value.message} {caught.value.hint}"
    mailer(smtp_host="mail.example.gov.cn", smtp_plain_allowed=True)
    mailer(smtp_host="mail.example.gov.cn", smtp_tls="starttls")


# --- addresses


RULES = Rules(Policy(), True, ("example.gov.cn",), frozenset({"qy.example.gov.cn"}))


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("email", "zhang@evil.cn"), ("email", "zhang@notexample.gov.cn"), ("email", "x"),
        ("webhook", "http://example.cn/"), ("webhook", "https://10.0.0.1/"), ("webhook", "https://u:p@example.cn/"),
        ("wecom", "https://evil.cn/cgi-bin/webhook/send?key=12345678"), ("wecom", "https://qyapi.weixin.qq.com/x?key=12345678"),
        ("wecom", "https://qyapi.weixin.qq.com@10.0.0.1/cgi-bin/webhook/send?key=12345678"),
        ("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=12345678&debug=1"),
        ("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=12345678&timestamp=1"),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/../../x/12345678"),
        ("feishu", "https://open.feishu.cn:22/open-apis/bot/v2/hook/12345678"),
    ],
)  # fmt: skip
def test_addresses_that_are_refused(kind: str, address: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_address(kind, address, RULES)
    said = " ".join(flaw.message for flaw in caught.value.flaws)
    assert " · " in said
    assert "12345678" not in said


def test_addresses_that_are_taken_and_what_is_shown_of_them() -> None:
    for kind, address, shown in (
        ("email", "zhang@example.gov.cn", "z***@example.gov.cn"),
        ("email", "li@jsj.Example.gov.cn", "l***@jsj.Example.gov.cn"),
        (
            "wecom",
            f"https://qyapi.weixin.qq.com{paths('wecom', '12345678-aa')}",
            "https://qyapi.weixin.qq.com/…",
        ),
        ("wecom", f"https://qy.example.gov.cn{paths('wecom', '12345678-aa')}", "https://qy.example.gov.cn/…"),
        ("feishu", f"https://open.feishu.cn{paths('feishu', '12345678-aa')}", "https://open.feishu.cn/…"),
        ("webhook", "https://hook.example.cn/secret?token=12345678", "https://hook.example.cn/…"),
    ):
        assert check_address(kind, address, RULES) == address
        assert masked(kind, address) == shown
    with pytest.raises(RefusedError):
        check_address("email", "zhang@example.gov.cn", Rules(Policy(), False, (), frozenset()))


# --- bots


@pytest.mark.parametrize("kind", list(bots.BOTS))
@settings(max_examples=examples(25))
@given(data=st.data())
def test_a_bucket_never_gives_more_than_the_service_takes(kind: str, data: st.DataObject) -> None:
    """Whenever messages come, for a quarter of an hour: the stand-in, which counts as the makers say, refuses none."""
    bot, service = bots.BOTS[kind], limits(kind)
    tokens, at, now = bot.burst, 0.0, 0.0
    for pause in data.draw(
        st.lists(st.sampled_from([0.0, 0.01, 0.3, 1.0, 2.9, 4.0, 30.0]), min_size=40, max_size=150)
    ):
        now += pause
        tokens, at = budgets.left(tokens, now - at, bot.per_min, bot.burst), now
        if budgets.wait_s(tokens, bot.per_min) == 0:
            tokens -= 1
            assert service.lets_in(now)


def test_a_bucket_waits_until_there_is_one() -> None:
    assert budgets.wait_s(0.5, 15) == pytest.approx(2.0)
    assert budgets.left(1.0, -100, 15, 3) == 1.0


def test_signatures_are_taken_by_the_stand_ins() -> None:
    now = 1_772_411_400.0
    server = BotServer(
        {("dingtalk", "tttttttt"): "SECxyz", ("feishu", "ffffffff"): "s", ("wecom", "wwwwwwww"): ""},
        clock=lambda: now,
    )
    for kind, token in server.bots:
        url, body = bots.request(
            kind,
            f"https://x{paths(kind, token)}",
            server.bots[kind, token] or None,
            "您有 7 件督办待处理",
            now,
        )
        answer = server.answer(url.removeprefix("https://x"), body)
        assert (
            bots.outcome(kind, Answer(1, 200, None, str(answer).replace("'", '"')), str).result is Result.SENT
        )
    assert [text for _, _, text in server.texts] == ["您有 7 件督办待处理"] * 3
    # A clock that is wrong by more than an hour; another secret; a bot that is gone.
    for kind, token, secret, off, result in (
        ("dingtalk", "tttttttt", "SECxyz", 3_700, Result.LATER),
        ("dingtalk", "tttttttt", "other", 0, Result.REFUSED),
        ("feishu", "ffffffff", "s", -3_700, Result.LATER),
        ("wecom", "xxxxxxxx", None, 0, Result.REFUSED),
        ("dingtalk", "xxxxxxxx", None, 0, Result.REFUSED),
        ("feishu", "xxxxxxxx", None, 0, Result.REFUSED),
    ):
        url, body = bots.request(kind, f"https://x{paths(kind, token)}", secret, "x", now + off)
        said = str(server.answer(url.removeprefix("https://x"), body)).replace("'", '"')
        found = bots.outcome(kind, Answer(1, 200, None, said), lambda s: hidden(s, bots.secrets_in(url)))  # noqa: B023
        assert found.result is result, (kind, said)
        assert token not in str(found.error)


@pytest.mark.parametrize(
    ("kind", "answer", "result"),
    [
        ("wecom", Answer(1, 200, None, '{"errcode":45009,"errmsg":"x"}'), Result.SLOWER),
        ("dingtalk", Answer(1, 200, None, '{"errcode":130101}'), Result.SLOWER),
        ("feishu", Answer(1, 200, None, '{"code":11232}'), Result.SLOWER),
        ("feishu", Answer(1, 400, "接收方拒绝", '{"code":19024,"msg":"Key Words Not Found"}'), Result.REFUSED),
        ("feishu", Answer(1, 200, None, '{"StatusCode":0,"code":0}'), Result.SENT),
        ("wecom", Answer(1, 200, None, "<html>log in to the network</html>"), Result.LATER),
        ("wecom", Answer(1, 200, None, '{"errcode":-1}'), Result.LATER),
        ("wecom", Answer(1, 502, "接收方拒绝", ""), Result.LATER),
        ("wecom", Answer(1, None, "连接失败"), Result.LATER),
        ("wecom", Answer(1, 429, "接收方拒绝", "", 7), Result.SLOWER),
        ("wecom", Answer(1, 302, "转向", '{"errcode":0}'), Result.LATER),
    ],
)  # fmt: skip
def test_what_an_answer_of_a_bot_means(kind: str, answer: Answer, result: Result) -> None:
    assert bots.outcome(kind, answer, str).result is result


def test_what_an_answer_of_a_webhook_means() -> None:
    assert webhook_outcome(Answer(1, 204)).result is Result.SENT
    assert webhook_outcome(Answer(1, 410, "x")).result is Result.REFUSED
    assert webhook_outcome(Answer(1, 404, "x")).result is Result.LATER
    slower = webhook_outcome(Answer(1, 429, "x", None, 90))
    assert (slower.result, slower.wait_s) == (Result.SLOWER, 90)


# --- what is sent together


def row(no: int, *, batch: int | None = None, urgent: bool = False, code: bytes | None = None) -> Row:
    return Row(no, batch, urgent, code, datetime.now(UTC), None if code else no)


def numbers(rows: list[Row], **how: Any) -> list[int]:
    return [one.no for one in choose(rows, **({"quiet": False, "confirmed": True} | how))]


def test_what_is_sent_together() -> None:
    assert numbers([row(1), row(2), row(3)]) == [1, 2, 3]
    assert numbers([row(1, batch=1), row(2, batch=1), row(3)]) == [1, 2]  # what was tried together stays so
    assert numbers([row(1), row(2, code=b"x"), row(3, code=b"y")]) == [3]  # the newest code, alone
    assert numbers([row(1)], confirmed=False) == []
    assert numbers([row(1), row(2, urgent=True)], quiet=True) == [2]
    assert numbers([row(1, batch=1), row(2)], quiet=True) == []
    assert len(numbers([row(n) for n in range(1, 151)])) == 100


def test_quiet_hours_go_over_midnight() -> None:
    night = (22 * 60, 7 * 60)
    assert [is_quiet(night, m) for m in (0, 419, 420, 1319, 1320)] == [True, True, False, False, True]
    assert [is_quiet((720, 840), m) for m in (719, 720, 839, 840)] == [False, True, True, False]
    assert not is_quiet(None, 0)


def test_whom_a_message_goes_to() -> None:
    def person(channel: int, role: Role, unit: str | None) -> Person:
        return Person((channel,), (grants_of_role(role, unit),))

    everybody = Receivers(
        [
            person(1, Role.UNIT_ADMINISTRATOR, "jsj"), person(2, Role.UNIT_ADMINISTRATOR, "wsj"), person(3, Role.OFFICE_HEAD, "city"),
            person(4, Role.UNIT_HEAD, "city"), person(5, Role.INSPECTOR, None), person(6, Role.OFFICE_HEAD, "jsj"),
        ],
        [
            UnitChannel(11, "jsj", "unit"), UnitChannel(12, "city", "office"), UnitChannel(13, "city", "unit"), UnitChannel(14, "wsj", "office"),
            UnitChannel(15, "jsj", "office"),
        ],
        {"city": None, "jsj": "city", "wsj": "city"},
    )  # fmt: skip
    assert everybody.of("jsj", "cases:reply") == [1, 4, 11]
    # Of a secret vehicle its own unit hears, and no group and no office that has no role to know of it.
    assert everybody.of("jsj", "cases:reply", secret=True) == [1, 4]
    assert everybody.of("jsj", "cases:issue", secret=True) == []
    assert everybody.of("jsj", "cases:issue") == [3, 6, 12, 15]
    assert everybody.of("city", "cases:issue") == [3, 12]
    assert everybody.of("elsewhere", "cases:reply") == []
    ring = Receivers([], [UnitChannel(1, "a", "office")], {"a": "b", "b": "a"})
    assert ring.of("b", "cases:issue") == [1]


def test_codes_are_hard_to_guess() -> None:
    guesses = channels.CODE_TRIES * channels.CODES_AN_HOUR
    assert guesses / len("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") ** 8 < 1e-10
