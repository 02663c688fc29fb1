"""Messages to people, from a step of a case to a mail, a webhook and a group's bot: over HTTP, a real PostgreSQL, real sockets and a
real process that is killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gongche.commands.deliver import make_courier
from office.identity.keys import Sealer
from office.identity.secrecy import is_masked_id
from office.messages import budgets, letters, outbox
from office.messages.courier import FAULTS, Courier
from office.posting.addresses import Policy
from office.posting.poster import Poster
from runtime.bell import Bell
from runtime.settings import Settings
from tests.identity_key import identity_key
from tests.integration.bot_server import BotServer
from tests.integration.smtp_server import Mail, SmtpServer
from tests.integration.test_supervision import CLOSE, Site, opened
from tests.integration.webhook_receiver import Receiver
from tests.ports import free_port
from tests.unit.test_alert_events import verified
from tests.waiting import until

HOME = "https://gongche.example.gov.cn"
PLATE = re.compile(r"苏F|car-|jsj|夜间|clerk|boss|unit\b")


class Post:
    """The API with its people, a mail server, bots, a receiver of webhooks, and the settings that lead to them."""

    def __init__(
        self, site: Site, settings: Settings, smtp: SmtpServer, bots: BotServer, hook: Receiver
    ) -> None:
        self.site, self.settings, self.smtp, self.bots, self.hook = site, settings, smtp, bots, hook
        self.pool = site.pool

    def courier(self, **more: Any) -> Courier:
        settings = self.settings.model_copy(update=more)
        poster = Poster(Policy(loopback=True), timeout_s=settings.webhook_timeout_s)
        made = make_courier(settings, self.pool, poster, Sealer(settings), Bell())
        made.pace_s = 0.0
        return made

    @asynccontextmanager
    async def running(self, *couriers: Courier) -> AsyncIterator[None]:
        stop = asyncio.Event()
        tasks = [asyncio.create_task(one.run(stop)) for one in couriers or [self.courier()]]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    async def add_mail(self, who: str, address: str) -> str:
        """A channel of ``who`` that is confirmed; its id. A courier runs."""
        made = await self.site.ask(
            who, "POST", "session/message-channels", {"kind": "email", "address": address}, 201
        )
        await until(lambda: self.mails(address), "the code came")
        code = self.code_in(self.mails(address)[-1].text)
        path = f"session/message-channels/{made['id']}/confirm"
        assert (await self.site.ask(who, "POST", path, {"code": code}))["confirmed_at"] is not None
        return str(made["id"])

    def mails(self, address: str) -> list[Mail]:
        return [mail for mail in self.smtp.taken if mail.to == address]

    def told(self, address: str) -> list[Mail]:
        """Those that are no codes."""
        return [mail for mail in self.mails(address) if "确认" not in str(mail.message["subject"])]

    @staticmethod
    def code_in(text: str) -> str:
        found = re.search(r"\b[A-Z2-9]{8}\b", text)
        assert found is not None
        return found[0]

    async def due(self) -> None:
        """What rests is due now, and what a killed process had is free."""
        await self.pool.execute(
            "UPDATE message_lanes SET not_before = now(), leased_until = NULL, lease = NULL"
        )


@pytest.fixture
async def post(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Post]:
    smtp, hook = SmtpServer(), Receiver()
    bots = BotServer(
        {("wecom", "wwwwwwww"): "", ("dingtalk", "dddddddd"): "SECd", ("feishu", "ffffffff"): "f"}
    )
    for server in (smtp, hook, bots):
        await server.start()
    settings = Settings(
        data_dir=tmp_path, identity_key_file=identity_key(), public_url=HOME, webhook_loopback=True, webhook_timeout_s=30,
        smtp_host="127.0.0.1", smtp_port=smtp.port, smtp_tls="none", smtp_from="gongche@example.gov.cn", smtp_timeout_s=10,
        message_bot_hosts=("127.0.0.1",), message_retry_s=(1, 2), webhook_allowed_networks=("10.0.0.0/8",),
    )  # fmt: skip
    async with opened(pool, settings) as site:
        yield Post(site, settings, smtp, bots, hook)
    for server in (smtp, hook, bots):
        await server.stop()


async def test_from_a_step_to_a_mail(post: Post) -> None:
    site = post.site
    async with post.running():
        channel = await post.add_mail("unit", "zhang@example.gov.cn")
        id = await site.issued()
        await until(lambda: post.told("zhang@example.gov.cn"), "the mail came")
        number = (await site.case(id))["number"]
        (mail,) = post.told("zhang@example.gov.cn")
        assert mail.message["subject"] == f"督办单 {number}：签发，现为已下达"
        assert f"{HOME}/v1/cases/{id}" in mail.text
        rest = mail.text.replace(number, "").replace(id, "")
        assert not PLATE.search(rest), rest
        # A draft is none of the unit's business; the office head hears of it, but has no channel.
        await site.draft()
        shown = (await site.ask("unit", "GET", "session/message-channels"))["items"]
        assert [(one["id"], one["address"], one["waiting"]) for one in shown] == [
            (channel, "z***@example.gov.cn", 0)
        ]
        found = (await site.ask("unit", "GET", "session/message-letters"))["items"]
        assert [(one["state"], one["number"]) for one in found] == [("sent", number), ("sent", None)]
        # Switched off: nothing more. Of somebody else: not there.
        path = f"session/message-channels/{channel}"
        assert not (await site.ask("unit", "PUT", path, {"enabled": False}))["enabled"]
        await site.issued()
        await until(lambda: post.pool.fetchval("SELECT count(*) = 0 FROM message_fanout"), "it was looked at")
        assert len(post.told("zhang@example.gov.cn")) == 1
        for method in ("PUT", "DELETE"):
            await site.ask("boss", method, path, {"enabled": True} if method == "PUT" else None, 404)
        await site.ask("boss", "POST", f"{path}/confirm", {"code": "x"}, 404)
        deleted = await site.client.delete(f"/v1/{path}", headers=site.headers("unit"))
        assert deleted.status_code == 204
    # What opens a channel, and a code, are sealed; the audit has neither.
    audit = await post.pool.fetchval(
        "SELECT string_agg(COALESCE(before::text, '') || COALESCE(after::text, ''), '') FROM audit"
    )
    assert "z***@" in audit
    assert "zhang@" not in audit


async def test_nothing_goes_to_an_address_that_is_not_confirmed(post: Post) -> None:
    site, address = post.site, "victim@example.gov.cn"
    async with post.running():
        made = await site.ask(
            "unit", "POST", "session/message-channels", {"kind": "email", "address": address}, 201
        )
        await until(lambda: post.mails(address), "the code came")
        await site.issued()
        path = f"session/message-channels/{made['id']}"
        code = post.code_in(post.mails(address)[0].text)
        for _ in range(5):
            await site.ask("unit", "POST", f"{path}/confirm", {"code": "AAAAAAAA"}, 422)
        await site.ask("unit", "POST", f"{path}/confirm", {"code": code}, 422)  # tried too often
        # Nobody has the program write to a stranger again and again, whatever he deletes in between.
        for k in range(6):
            deleted = await site.client.delete(f"/v1/{path}", headers=site.headers("unit"))
            assert deleted.status_code == 204
            body = {"kind": "email", "address": address}
            answer = await site.client.post(
                "/v1/session/message-channels", json=body, headers=site.headers("unit")
            )
            assert answer.status_code == (201 if k < 4 else 429), answer.text
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) > 0
                break
            path = f"session/message-channels/{answer.json()['id']}"
            await until(lambda n=k + 2: len(post.mails(address)) == n, "another code came")  # type: ignore[misc]
        await until(lambda: len(post.mails(address)) == 5, "five codes and no more")
        assert post.told(address) == []
    for body, pointer in (
        ({"kind": "email", "address": "a@b.cn\nBcc: c@d.cn"}, "/address"),
        ({"kind": "webhook", "address": "https://10.0.0.1/"}, "/address"),
        ({"kind": "wecom", "address": post.bots.url("wecom", "wwwwwwww")}, "/kind"),
    ):
        refused = await site.ask("unit", "POST", "session/message-channels", body, 422)
        assert refused["errors"][0]["pointer"] == pointer, refused


async def test_quiet_hours_digests_and_urgent_ones(post: Post) -> None:
    site, address = post.site, "li@example.gov.cn"
    hours = await post.pool.fetchrow(
        "SELECT to_char(now() AT TIME ZONE 'Asia/Shanghai' - interval '1 hour', 'HH24:MI') AS a,"
        " to_char(now() AT TIME ZONE 'Asia/Shanghai' + interval '1 hour', 'HH24:MI') AS b"
    )
    async with post.running():
        await post.add_mail("unit", address)
        quiet = await site.ask("unit", "PUT", "session/quiet-hours", {"from": hours["a"], "to": hours["b"]})
        assert (quiet["quiet_from"], quiet["quiet_to"]) == (hours["a"], hours["b"])
        for _ in range(7):
            await site.issued()
        urgent = await site.issued(level="urgent")
        await until(lambda: post.told(address), "the urgent one breaks through")
        assert f"/v1/cases/{urgent}" in post.told(address)[0].text
        assert len(post.told(address)) == 1
        assert (await site.ask("unit", "GET", "session/message-channels"))["items"][0]["waiting"] == 7
        await site.ask("unit", "PUT", "session/quiet-hours", {"from": None, "to": None})
        await until(lambda: len(post.told(address)) == 2, "the rest comes together")
        digest = post.told(address)[1]
        assert digest.message["subject"] == "您有 7 件督办待处理"
        assert digest.text.count("督办单 ") == 7
        await site.ask("unit", "PUT", "session/quiet-hours", {"from": "22:00", "to": None}, 422)
        await site.ask("unit", "PUT", "session/quiet-hours", {"from": "22:00", "to": "22:00"}, 422)
        # A queue is bounded: what does not fit is counted and told.
        await post.pool.execute("UPDATE message_lanes SET not_before = now() + interval '1 hour'")
        case = await site.issued()
        await post.pool.execute(
            "INSERT INTO messages (organisation, permission, case_id, number, step, state, at)"
            " SELECT 'jsj', 'cases:reply', $1, '1号', 'remind', 'issued', now() FROM generate_series(1, 250)",
            case,
        )
        await until(
            lambda: post.pool.fetchval("SELECT max(skipped) = 51 FROM message_lanes"), "51 did not fit"
        )
        assert await post.pool.fetchval("SELECT count(*) FROM message_outbox WHERE state = 'waiting'") == 200
        await post.due()
        await until(
            lambda: post.pool.fetchval("SELECT count(*) = 0 FROM message_outbox WHERE state = 'waiting'"),
            "all told",
        )
        assert any(mail.message["subject"] == "您有 52 件督办待处理" for mail in post.told(address))
        # What is urgent has room where the queue is full: it waits for no quiet hours.
        await post.pool.execute("UPDATE message_lanes SET not_before = now() + interval '1 hour'")
        await post.pool.execute(
            "INSERT INTO messages (organisation, permission, case_id, number, step, state, at)"
            " SELECT 'jsj', 'cases:reply', $1, '1号', 'remind', 'issued', now() FROM generate_series(1, 201)",
            case,
        )
        await until(lambda: post.pool.fetchval("SELECT max(skipped) >= 1 FROM message_lanes"), "it is full")
        await site.issued(level="urgent")
        await until(
            lambda: post.pool.fetchval(
                "SELECT count(*) = 1 FROM message_outbox WHERE state = 'waiting' AND urgent"
            ),
            "the urgent one has room",
        )


async def test_a_refused_address_is_a_dead_letter_at_once_and_the_others_go_on(post: Post) -> None:
    site = post.site
    post.smtp.does = lambda to: {"gone@example.gov.cn": "rcpt550", "slow@example.gov.cn": "stall"}.get(
        to, "ok"
    )
    async with post.running():
        for who, address in (
            ("unit", "gone@example.gov.cn"),
            ("boss", "slow@example.gov.cn"),
            ("unit", "fine@example.gov.cn"),
        ):
            post.smtp.does, before = lambda _: "ok", post.smtp.does
            await post.add_mail(who, address)
            post.smtp.does = before
        await site.issued()
        await until(lambda: post.told("fine@example.gov.cn"), "the one that works has it")
        # While the server still stalls for another address: that keeps nobody else.
        given_up = "SELECT count(*) FROM message_outbox WHERE state = 'waiting' AND last_error IS NOT NULL"
        assert await post.pool.fetchval(given_up) == 0
        dead = "SELECT count(*) = 1 FROM message_outbox WHERE state = 'dead' AND message_id IS NOT NULL"
        await until(lambda: post.pool.fetchval(dead), "given up at once")
        # The person sees why, and so does who keeps the people.
        channels = (await site.ask("unit", "GET", "session/message-channels"))["items"]
        gone = next(one for one in channels if one["dead"])
        assert "550" in gone["last_error"]
        (letter,) = (await site.ask("unit", "GET", "session/message-letters?state=dead"))["items"]
        await post.pool.execute("INSERT INTO users (id, name, created_by) VALUES ('admin', 'admin', 'test')")
        await site.ask("unit", "GET", "message-failures", None, 403)
        assert (await letters.dead_of_people(post.pool, None, 10, None))[0]["person"] == "unit"
        assert (
            await letters.dead_of_people(post.pool, ["jsj"], 10, None) == []
        )  # these users belong to no unit
        state = await letters.state(post.pool)
        assert (state["dead"], state["failing"]) == (1, 1) or state["failing"] == 2
        # Mended, and sent again.
        post.smtp.does = lambda _: "ok"
        again = await site.client.post(
            f"/v1/session/message-letters/{letter['id']}/resend", headers=site.headers("unit")
        )
        assert again.status_code == 204
        await until(lambda: post.told("gone@example.gov.cn"), "it came at last")
        await site.ask("unit", "POST", f"session/message-letters/{letter['id']}/resend", None, 404)
        await post.due()
        await until(lambda: post.told("slow@example.gov.cn"), "the slow one is tried again")
    ids = [
        mail.message["message-id"]
        for mail in post.smtp.got
        if mail.to == "slow@example.gov.cn" and "确认" not in mail.message["subject"]
    ]
    assert len(ids) >= 2
    assert len(set(ids)) == 1  # the same one again


async def test_of_a_secret_vehicle_only_those_hear_who_may_know(post: Post) -> None:
    site = post.site
    async with post.running():
        await post.add_mail("unit", "unit@example.gov.cn")
        await post.add_mail("head", "head@example.gov.cn")
    secret, other = await site.issued(), await site.issued()
    await post.pool.execute("UPDATE cases SET vehicle = 'car-1' WHERE id = $1", secret)
    await post.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-1'")
    async with post.running():
        await until(
            lambda: post.pool.fetchval("SELECT count(*) = 0 FROM message_fanout"), "all were looked at"
        )
    rows = await post.pool.fetch(
        "SELECT c.person, m.case_id FROM message_outbox o JOIN message_channels c ON c.no = o.channel_no"
        " JOIN messages m ON m.id = o.message_id"
    )
    assert {tuple(row) for row in rows} == {("unit", secret), ("unit", other), ("head", other)}
    # Who keeps the people sees that a letter failed, not which case of a secret vehicle it was about.
    await post.pool.execute(
        "UPDATE message_outbox SET state = 'dead', ended_at = now() WHERE message_id IS NOT NULL"
    )
    dead = await letters.dead_of_people(post.pool, None, 10, None)
    number = (await post.pool.fetchrow("SELECT number FROM cases WHERE id = $1", other))["number"]
    (masked,) = {(one["case"], one["number"]) for one in dead} - {(other, number), (other, None)}
    assert is_masked_id(masked[0])
    assert masked[1] is None


async def test_bots_and_webhooks_of_units(post: Post) -> None:
    site = post.site
    async with post.running():
        for kind, token, secret in (
            ("wecom", "wwwwwwww", None),
            ("dingtalk", "dddddddd", "SECd"),
            ("feishu", "ffffffff", "f"),
        ):
            body = {"organisation": "jsj", "kind": kind, "address": post.bots.url(kind, token)}
            made = await site.ask(
                "unit", "POST", "unit-channels", body | ({"secret": secret} if secret else {}), 201
            )
            await until(lambda k=kind: [t for t in post.bots.texts if t[0] == k], "the code is in the group")  # type: ignore[misc]
            code = post.code_in(next(text for k, _, text in post.bots.texts if k == kind))
            await site.ask("clerk", "POST", f"unit-channels/{made['id']}/confirm", {"code": code})
        hook = {
            "organisation": "city",
            "about": "office",
            "kind": "webhook",
            "address": f"http://127.0.0.1:{post.hook.port}/x?token=hookhookhook",
        }
        await site.ask("unit", "POST", "unit-channels", hook, 403)
        await site.ask(
            "unit", "POST", "unit-channels", hook | {"organisation": "jsj"}, 403
        )  # not the unit's to know
        await site.ask("other", "POST", "unit-channels", hook | {"organisation": "jsj", "about": "unit"}, 403)
        made = await site.ask("clerk", "POST", "unit-channels", hook, 201)
        secret = made["secret"]
        await until(lambda: post.hook.accepted, "the code came")
        await site.ask(
            "clerk", "POST", f"unit-channels/{made['id']}/confirm", {"code": post.hook.got[0].data["code"]}
        )
        await site.ask("unit", "GET", f"unit-channels/{made['id']}/letters", None, 404)
        # What waits for a bot whose budget is used up comes as a digest, and the bot refuses nothing.
        for _ in range(12):
            await site.issued()
        await until(lambda: len([t for t in post.bots.texts if "督办单" in t[2]]) >= 3, "each group was told")
        await until(lambda: len(post.hook.accepted) >= 2, "the office was told")
        await post.pool.execute("UPDATE message_budgets SET tokens = 3")
        await post.due()
        await until(
            lambda: post.pool.fetchval("SELECT count(*) = 0 FROM message_outbox WHERE state = 'waiting'"),
            "all was told",
        )
        assert post.bots.refused == []
        assert any(re.match("您有 [0-9]+ 件督办待处理", text) for _, _, text in post.bots.texts)
        for _, _, text in post.bots.texts:
            assert not PLATE.search(re.sub(r"督办单 .*?：|cases/\S+", "", text)), text
        now = int(time.time())
        assert all(verified(secret, one.headers, one.body, now) for one in post.hook.got)
        assert all("number" in item for one in post.hook.accepted[1:] for item in one.data["items"])
        # A bot that was deleted: dead letters, and what opens it is shown nowhere.
        del post.bots.bots["wecom", "wwwwwwww"]
        await site.issued()
        dead = "SELECT count(*) > 0 FROM message_outbox WHERE state = 'dead' AND message_id IS NOT NULL"
        await until(lambda: post.pool.fetchval(dead), "given up")
    listed = await site.client.get("/v1/unit-channels", headers=site.headers("clerk"))
    wecom = next(one for one in listed.json()["items"] if one["kind"] == "wecom")
    assert "93000" in wecom["last_error"]
    said = (
        listed.text
        + str(await post.pool.fetch("SELECT * FROM message_outbox"))
        + str(await post.pool.fetch("SELECT * FROM message_lanes"))
    )
    said += str(await post.pool.fetch("SELECT after, before FROM audit"))
    for opens in ("wwwwwwww", "dddddddd", "ffffffff", "SECd", "hookhookhook", secret):
        assert opens not in said
    seen = (await site.ask("other", "GET", "unit-channels"))["items"]
    assert seen == []
    assert [one["about"] for one in (await site.ask("unit", "GET", "unit-channels"))["items"]] == ["unit"] * 3
    assert await post.pool.fetchval("SELECT count(*) FROM message_budgets") == 3


async def test_a_bot_that_says_too_much_rests(post: Post) -> None:
    """Somebody else uses the same bot: we cannot know, but we hear it."""
    for _ in range(20):
        post.bots._limits.setdefault(("dingtalk", "dddddddd"), _used("dingtalk")).lets_in(time.time())
    made = await post.site.ask(
        "unit", "POST", "unit-channels", {"organisation": "jsj", "kind": "dingtalk", "address": post.bots.url("dingtalk", "dddddddd"), "secret": "SECd"}, 201,
    )  # fmt: skip
    async with post.running():
        await until(lambda: post.bots.refused, "it was told")
        await until(
            lambda: post.pool.fetchval("SELECT last_error IS NOT NULL FROM message_lanes"), "it was noted"
        )
        assert post.bots.refused == [130101]
        rests = "SELECT EXTRACT(epoch FROM not_before - now())::float8 FROM message_lanes"
        assert await post.pool.fetchval(rests) > 500
        assert await post.pool.fetchval("SELECT failing_since IS NULL AND failures = 0 FROM message_lanes")
        await post.pool.execute("UPDATE message_lanes SET not_before = now()")
        await until(lambda: post.pool.fetchval("SELECT not_before > now() FROM message_lanes"), "it rests on")
        assert post.bots.refused == [130101]  # not asked again: the budget knows
    async with post.pool.acquire() as connection:
        key = budgets.key_of(post.bots.url("dingtalk", "dddddddd"))
        assert await budgets.take(connection, key, 15, 3) > 0
    assert made["id"]


def _used(kind: str) -> Any:
    from tests.integration.bot_server import limits

    return limits(kind)


async def test_a_process_that_is_killed_loses_nothing(post: Post, db_url: str, tmp_path: Path) -> None:
    site, address = post.site, "wang@example.gov.cn"
    async with post.running():
        await post.add_mail("unit", address)
    for _ in range(3):
        await site.issued()
    # It hands a mail over, the server keeps it, and the answer never comes: the process is killed.
    post.smtp.does = lambda _: "stall"
    first = await _deliver(post, db_url)
    try:
        await until(lambda: [mail for mail in post.smtp.got if not mail.taken], "the mail is under way")
    finally:
        first.send_signal(signal.SIGKILL)
        await first.wait()
    assert await post.pool.fetchval(
        "SELECT count(*) = 3 FROM message_outbox WHERE state = 'waiting' AND message_id IS NOT NULL"
    )
    await site.issued()  # comes meanwhile, and is another mail
    post.smtp.does = lambda _: "ok"
    await post.due()
    second = await _deliver(post, db_url)
    try:
        await until(lambda: post.told(address), "another process sends it")
        await post.due()
        done = "SELECT count(*) = 0 FROM message_outbox WHERE state = 'waiting'"
        await until(lambda: post.pool.fetchval(done), "all was sent")
    finally:
        second.terminate()
        await second.wait()
    (twice,) = [mail for mail in post.smtp.got if not mail.taken]
    again = post.told(address)[0]
    assert twice.message["message-id"] == again.message["message-id"]
    assert (twice.text, twice.message["subject"]) == (again.text, "您有 3 件督办待处理")
    # On a busy machine one that is under way was made due above, and comes once more: the same mail.
    assert len({mail.message["message-id"] for mail in post.told(address)}) == 2


async def _deliver(post: Post, db_url: str) -> asyncio.subprocess.Process:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongche", "deliver",
        env=clean | {
            "GONGCHE_DATABASE_URL": db_url, "GONGCHE_DATA_DIR": str(post.settings.data_dir), "GONGCHE_IDENTITY_KEY_FILE": str(identity_key()),
            "GONGCHE_SMTP_HOST": "127.0.0.1", "GONGCHE_SMTP_PORT": str(post.smtp.port), "GONGCHE_SMTP_TLS": "none",
            "GONGCHE_SMTP_FROM": "gongche@example.gov.cn", "GONGCHE_DELIVER_METRICS_PORT": str(free_port()), "GONGCHE_LOG_LEVEL": "ERROR",
        },
    )  # fmt: skip


async def test_two_couriers_send_once_and_a_fault_stops_nobody(post: Post) -> None:
    site = post.site
    couriers = [post.courier(), post.courier()]
    async with post.running(*couriers):
        await post.add_mail("unit", "a@example.gov.cn")
        await post.add_mail("boss", "b@example.gov.cn")
        before = FAULTS.labels("message")._value.get()
        await post.pool.execute(
            "UPDATE message_addresses SET address = 'broken' WHERE channel_no = (SELECT min(channel_no) FROM message_addresses)"
        )
        id = await site.replied()
        await site.step("clerk", id, "close", **CLOSE)
        rest = (
            "SELECT count(*) = 0 FROM message_outbox o JOIN message_channels c ON c.no = o.channel_no"
            " WHERE c.person = 'boss' AND o.state = 'waiting'"
        )
        sorted_out = "SELECT count(*) = 0 FROM message_fanout"
        await until(lambda: post.pool.fetchval(sorted_out), "all receivers were looked up")
        await until(lambda: post.pool.fetchval(rest), "the other person is told everything")
        assert post.told("b@example.gov.cn")
        await until(lambda: FAULTS.labels("message")._value.get() > before, "the fault is counted")
        assert all(one.trouble is None for one in couriers)
        bodies = [mail.message["message-id"] for mail in post.told("b@example.gov.cn")]
        assert len(bodies) == len(set(bodies))
        # Who was disabled is told nothing more, and what waits for him is forgotten.
        await post.pool.execute("UPDATE users SET disabled_at = now() WHERE id = 'boss'")
        count = len(post.told("b@example.gov.cn"))
        await site.issued()
        await until(lambda: post.pool.fetchval("SELECT count(*) = 0 FROM message_fanout"), "it was looked at")
        assert len(post.told("b@example.gov.cn")) == count
    await letters.clean(post.pool, 90)
    assert await post.pool.fetchval(
        "SELECT count(*) = 0 FROM message_outbox o JOIN message_channels c ON c.no = o.channel_no WHERE c.person = 'boss' AND state = 'waiting'"
    )
    # Given up after days, each kind for its own reason.
    await post.pool.execute(
        "UPDATE message_outbox SET since = now() - interval '9 days' WHERE state = 'waiting'"
    )
    async with post.pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE message_lanes SET not_before = now(), leased_until = NULL")
        (work,) = await outbox.claim(connection, "email", 9, 9, failing=True, minute=0)
        assert await outbox.later(connection, work, "x", 1, 3600, 60) == len(work.rows)
