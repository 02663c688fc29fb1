"""Links by JT/T 809 without a socket: who is let in, whose a position is, what a registration says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gongche.commands.exchange809 import _secret
from gongche.exchange809.entrance import Guesses
from gongche.exchange809.orders import order_of
from gongche.exchange809.upward import registration
from gongche.exchange809.wire import fresh
from office.platforms.fleet import Fitted, colour_of, fleet_of
from office.platforms.links import Link, Secret, networks_of
from office.platforms.states import Tally
from registry.refusals import RefusedError
from runtime.errors import ConfigurationError
from telemetry.jt809.channel import Channel
from telemetry.jt809.header import Edition
from telemetry.jt809.tables import Id


def link(edition: int = 2011, *networks: str) -> Link:
    return Link(
        "city", "above", edition, 1, 2, "32060000001", "h", 1, "", 0, networks_of(networks), "office", ("office",)
    )  # fmt: skip


def fitted(**more: object) -> Fitted:
    values: dict[str, object] = {
        "terminal": 1, "since_us": 10, "until_us": 20, "vehicle": "car", "organisation": "office", "plate": "苏F12345", "colour": 1,
        "secret": False, "enabled": True, "phone": "13800000001", "manufacturer": "7611", "model": "BD", "device_id": "dev1",
    }  # fmt: skip
    return Fitted(**(values | more))  # type: ignore[arg-type]  # a dictionary of all fields


def test_only_the_networks_of_a_link_are_let_in() -> None:
    made = link(2011, "10.2.0.0/16", "2001:db8::/32")
    assert made.admits("10.2.3.4")
    assert made.admits("::ffff:10.2.3.4")  # the same address, on a socket for both
    assert made.admits("2001:db8::1")
    for other in ("10.3.0.1", "::1", "no address", "", "10.2.0.0/16"):
        assert not made.admits(other)
    assert not link().admits("127.0.0.1")
    with pytest.raises(RefusedError):
        networks_of(["10.2.0.0/99"])


def test_secrets_show_themselves_to_nobody() -> None:
    secret = Secret("pass-wd1", (1, 2, 3))
    assert "pass" not in repr(secret)
    assert Secret.of(secret.text()) == secret
    assert Secret.of(Secret("x").text()) == Secret("x")


def test_the_file_of_secrets_is_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret.json"
    file.write_text(json.dumps({"password": "p", "m1": 1, "ia1": 2, "ic1": 3}))
    assert _secret(str(file)) == Secret("p", (1, 2, 3))
    file.write_text('{"password": "p"}')
    assert _secret(str(file)) == Secret("p")
    for wrong in (
        "",
        "[]",
        "7",
        "{}",
        '{"password": 7}',
        '{"password": "p", "m1": 1}',
        '{"password": "p", "m1": true, "ia1": 1, "ic1": 1}',
    ):
        file.write_text(wrong)
        with pytest.raises(ConfigurationError, match="口令文件"):
            _secret(str(file))
    with pytest.raises(ConfigurationError):
        _secret(str(tmp_path / "none"))


def test_whose_a_position_is() -> None:
    fleet = fleet_of(
        [
            fitted(),
            fitted(since_us=20, until_us=90, plate="苏F2", vehicle="car-2"),
            fitted(terminal=2, plate="苏F2", enabled=False, since_us=0, until_us=99),
        ]
    )
    assert np.array_equal(fleet.terminals, [1, 2])
    assert [one.plate if (one := fleet.at(1, at)) else None for at in (9, 10, 19, 20, 89, 90)] == [
        None, "苏F12345", "苏F12345", "苏F2", "苏F2", None,
    ]  # fmt: skip
    assert fleet.at(3, 15) is None
    assert fleet.by_plate(50)["苏F2"].terminal == 1  # the enabled one
    assert fleet.by_plate(95) == {}


def test_colours_of_plates() -> None:
    assert [colour_of(plate, 2019) for plate in ("苏F12345", "苏FD12345")] == [1, 5]
    assert [colour_of(plate, 2011) for plate in ("苏F12345", "苏FD12345")] == [1, 9]


@pytest.mark.parametrize("edition", [2011, 2019])
def test_any_terminal_can_be_registered(edition: int) -> None:
    """What is too long for its place is cut, between characters; what GBK does not have is left out."""
    long = fitted(manufacturer="厂" * 30, model="型😀" * 30, device_id="终端id" * 20, phone="1" * 20)
    fields = registration(link(edition), long)
    frame = Channel(Edition(edition), 1).frame(Id.UP_EXG_MSG_REGISTER, fields, 0)
    (read,) = Channel(Edition(edition), 1).feed(frame)
    assert read.fields["producer_id"] == "厂" * 5  # type: ignore[union-attr]  # it is a message
    short = registration(link(edition), fitted())
    assert short["sim"] == ("013800000001" if edition == 2011 else "0013800000001")
    assert short["terminal_id"] == "DEV1"


def test_guesses_are_counted_by_address_and_forgotten() -> None:
    guesses = Guesses()
    for at in range(5):
        assert not guesses.too_many("a", at)
        guesses.note("a", at)
    assert guesses.too_many("a", 5)
    assert not guesses.too_many("b", 5)
    assert not guesses.too_many("a", 61)
    for k in range(5_000):
        guesses.note(f"address {k}", 100)
    assert len(guesses.failed) <= 1_000


def test_an_order_with_a_time_that_is_none_is_refused() -> None:
    fields = {
        "supervision_id": 1, "plate": b"\xff", "colour": 1, "warn_source": 1, "warn_type": 1, "warn_s": 1_772_409_600, "due_s": 1 << 63,
        "level": 0, "supervisor": "", "phone": "", "email": "",
    }  # fmt: skip
    with pytest.raises(ValueError, match="no time"):
        order_of(fields, None)
    order = order_of(fields | {"due_s": 0}, "car")
    assert (order.plate, order.vehicle, order.due_at.year) == ("", "car", 1970)


def test_a_tally_is_taken_once() -> None:
    tally = Tally(sent=3)
    tally.refuse("junk", "x" * 1_000, 2)
    taken = fresh(tally)
    assert (taken.sent, taken.refused) == (3, {"junk": 2})
    assert len(taken.last_refusal or "") <= 500
    assert tally.empty
    assert not taken.empty
