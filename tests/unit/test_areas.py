"""Fences in terminals: whatever is lost, refused or forgotten, a terminal ends with exactly what it has to hold; and the bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.areas.shapes import MOST_VERTICES, WORDS, Shape, shape_of
from registry.areas.steps import Held, Step, begin, doubted, heard, next_step, pause_s
from telemetry import geo
from telemetry.commands.steps import CommandFailure, CommandState
from telemetry.gateway.command_bodies import Encoding, encode
from telemetry.jt808.scalar.header import Version
from tests.examples import examples

SHAPES = ("circle", "rectangle", "polygon")


class Device:
    """What a terminal does with the messages. ``strict``: it refuses to delete what it has not, to add circles and rectangles that it has,
    to change those that it has not."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.holds: dict[str, int] = {}

    def take(self, step: Step) -> bool:
        """Whether it says that it has done it."""
        there = step.shape in self.holds
        if step.version is None:
            self.holds.pop(step.shape, None)
            return there or not self.strict
        if self.strict and step.shape != "polygon" and there != step.there:
            return False
        self.holds[step.shape] = step.version
        return True


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("want"), st.sampled_from([None, *SHAPES])),
        st.sampled_from(
            [
                ("ask",),
                ("hear",),
                ("confirmation lost",),
                ("never arrived",),
                ("expired",),
                ("cleared",),
                ("registered",),
            ]
        ),
    ),
    max_size=40,
)


@settings(max_examples=examples(400), deadline=None)
@given(EVENTS, st.booleans())
def test_any_sequence_ends_with_exactly_what_is_wanted(events: list[tuple[Any, ...]], strict: bool) -> None:
    device, held, version, doubt = Device(strict), Held(), 0, False
    answer: bool | None = None  # of the step under way; None: it was not sent yet

    def end(state: CommandState, failure: str | None, *, sent: bool) -> None:
        nonlocal held, answer, doubt
        held, answer = heard(held, state, failure, sent=sent), None
        if doubt:
            held, doubt = doubted(held), False

    for what, *more in events:
        if what == "want":
            version += 1
            held = Held(
                None if more[0] is None else (version, more[0]),
                held.holds,
                held.may_hold,
                held.step,
                held.sure,
            )
        elif what == "ask" and held.step is None and (step := next_step(held)) is not None:
            held = begin(held, step)
        elif what in ("cleared", "registered"):
            if what == "cleared":
                device.holds.clear()
            if held.step is None:
                held = doubted(held)
            else:
                doubt = True
        elif held.step is not None and what == "hear":
            taken = device.take(held.step)
            end(
                *(CommandState.DELIVERED, None) if taken else (CommandState.FAILED, CommandFailure.REFUSED),
                sent=True,
            )
        elif held.step is not None and what == "confirmation lost":
            device.take(held.step)
            end(CommandState.FAILED, CommandFailure.NO_REPLY, sent=True)
        elif held.step is not None and what == "never arrived":
            end(CommandState.FAILED, CommandFailure.NO_REPLY, sent=True)
        elif held.step is not None and what == "expired":
            end(CommandState.EXPIRED, None, sent=False)
    for _ in range(12):  # from here on all goes well
        if held.step is None:
            step = next_step(held)
            if step is None:
                break
            held = begin(held, step)
        assert held.step is not None
        taken = device.take(held.step)
        end(
            *(CommandState.DELIVERED, None) if taken else (CommandState.FAILED, CommandFailure.REFUSED),
            sent=True,
        )
    assert held.done
    assert device.holds == ({} if held.wanted is None else {held.wanted[1]: held.wanted[0]})


def test_what_passes_by_itself_is_tried_again_later_and_later() -> None:
    held = begin(Held(wanted=(1, "polygon")), Step("polygon", 1))
    pauses = []
    for _ in range(8):
        held = heard(begin(held, Step("polygon", 1)), CommandState.FAILED, CommandFailure.NO_REPLY, sent=True)
        pauses.append(pause_s(held))
    assert pauses[:3] == [60, 120, 240]
    assert pauses[-1] == 3_600
    for why in (CommandFailure.REFUSED, CommandFailure.UNSUPPORTED, CommandFailure.CANNOT_ENCODE):
        assert pause_s(heard(begin(held, Step("polygon", 1)), CommandState.FAILED, why, sent=True)) is None
    done = heard(begin(held, Step("polygon", 1)), CommandState.DELIVERED, None, sent=True)
    assert (done.done, done.failure, pause_s(done)) == (True, None, None)


def ring(n: int, radius_m: float = 500, odd: float = 0) -> shapely.Polygon:
    """``n`` vertices around a middle; every other one ``odd`` of the radius nearer."""
    a = np.linspace(0, 2 * np.pi, n, endpoint=False)
    r = radius_m * np.where(np.arange(n) % 2, 1 - odd, 1)
    lat, lon = geo.from_local_plane(32, 120.9, r * np.cos(a), r * np.sin(a))
    return shapely.Polygon(np.column_stack((lon, lat)))


@pytest.mark.parametrize(
    ("geometry", "name"),
    [
        (shapely.box(120.1, 31.9, 120.2, 32.0), "rectangle"),
        (shapely.Polygon([(120.1, 31.9), (120.1, 32), (120.2, 32), (120.2, 31.9)]), "rectangle"),
        (shapely.Polygon([(120.1, 31.9), (120.2, 31.9), (120.2, 32.0), (120.1, 32.000001)]), "polygon"),
        (shapely.Polygon([(120.1, 31.9), (120.2, 31.9), (120.15, 32.0)]), "polygon"),
        (shapely.MultiPolygon([shapely.box(120.1, 31.9, 120.2, 32.0)]), "rectangle"),
        (ring(64), "circle"),
        (ring(64, odd=0.05), "polygon"),
        (ring(23), "polygon"),
        (ring(2_000), "circle"),
        (ring(MOST_VERTICES, odd=0.05), "polygon"),
        (ring(MOST_VERTICES + 2, odd=0.05), "too_many_vertices"),
        (shapely.box(120, 31, 121, 32).difference(shapely.box(120.2, 31.2, 120.3, 31.3)), "holes"),
        (shapely.MultiPolygon([shapely.box(120, 31, 121, 32), shapely.box(122, 31, 123, 32)]), "parts"),
        (shapely.box(-1, 31, 1, 32), "outside"),
        (shapely.Point(120, 31), "unreadable"),
        (shapely.box(120, 31, 120.0000001, 31.0000001), "unreadable"),
    ],
)  # fmt: skip
def test_a_fence_is_what_terminals_take_or_it_is_said_why_not(geometry: Any, name: str) -> None:
    shape = shape_of(shapely.to_wkb(geometry))
    assert (shape.name if isinstance(shape, Shape) else shape) == name
    assert isinstance(shape, Shape) or shape in WORDS


def test_any_bytes_give_a_shape_or_a_refusal() -> None:
    wkb = shapely.to_wkb(shapely.box(120.1, 31.9, 120.2, 32.0))
    for cut in range(len(wkb)):
        assert shape_of(wkb[:cut]) == "unreadable"


def test_a_circle_is_the_circle_that_was_drawn() -> None:
    shape = shape_of(shapely.to_wkb(ring(64, 500)))
    assert shape == Shape("circle", {"lat_e6": 32_000_000, "lon_e6": 120_900_000, "radius_m": 500})


#: Written out by the tables of the standards: 2011 tables 51-57, 2013 tables 55-61, 2019 tables 43-50. Attributes 0028: entering (bit 3) and
#: leaving (bit 5) are told to the platform. 32.000000 N = 01E84800, 120.900000 E = 0734C9A0.
CIRCLE = {"lat_e6": 32_000_000, "lon_e6": 120_900_000, "radius_m": 500}
BOX = {
    "top_left_lat_e6": 32_000_000, "top_left_lon_e6": 120_900_000, "bottom_right_lat_e6": 31_900_000, "bottom_right_lon_e6": 121_000_000,
}  # fmt: skip
CORNERS = {
    "vertices": [{"lat_e6": 32_000_000, "lon_e6": 120_900_000}] * 2
    + [{"lat_e6": 31_900_000, "lon_e6": 121_000_000}]
}
_CIRCLE, _BOX = (
    "00000007 0028 01E84800 0734C9A0 000001F4",
    "00000007 0028 01E84800 0734C9A0 01E6C160 07365040",
)
_POINTS = "01E84800 0734C9A0 01E84800 0734C9A0 01E6C160 07365040"
#: 院 in GBK, behind its length.
_NAME = "0002 D4BA"


@pytest.mark.parametrize(
    ("version", "shape", "place", "there", "message", "body"),
    [
        (Version.V2011, "circle", CIRCLE, False, 0x8600, f"01 01 01 {_CIRCLE}"),
        (Version.V2013, "circle", CIRCLE, True, 0x8600, f"02 01 {_CIRCLE}"),
        (Version.V2019, "circle", CIRCLE, False, 0x8600, f"01 01 {_CIRCLE} {_NAME}"),
        (Version.V2011, "rectangle", BOX, False, 0x8602, f"01 01 01 {_BOX}"),
        (Version.V2013, "rectangle", BOX, False, 0x8602, f"01 01 {_BOX}"),
        (Version.V2019, "rectangle", BOX, True, 0x8602, f"02 01 {_BOX} {_NAME}"),
        (Version.V2011, "polygon", CORNERS, False, 0x8604, f"00000007 0028 0003 03 {_POINTS}"),
        (Version.V2013, "polygon", CORNERS, False, 0x8604, f"00000007 0028 0003 {_POINTS}"),
        (Version.V2019, "polygon", CORNERS, True, 0x8604, f"00000007 0028 0003 {_POINTS} {_NAME}"),
    ],
)  # fmt: skip
def test_the_bytes_that_set_an_area(
    version: Version, shape: str, place: dict[str, Any], there: bool, message: int, body: str
) -> None:
    fields = {"action": "set", "shape": shape, "id": 7, "name": "院", "there": there, "place": place}
    assert encode("areas", fields, version, Encoding()) == (message, bytes.fromhex(body))


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize(
    ("shape", "message"), [("circle", 0x8601), ("rectangle", 0x8603), ("polygon", 0x8605)]
)
def test_the_bytes_that_delete_one(version: Version, shape: str, message: int) -> None:
    fields = {"action": "delete", "shape": shape, "id": 0x01020304}
    assert encode("areas", fields, version, Encoding()) == (message, bytes.fromhex("01 01020304"))


def test_a_terminal_of_2011_takes_fewer_vertices() -> None:
    for n, fits in ((255, True), (256, False)):
        vertices = [{"lat_e6": k, "lon_e6": k} for k in range(n)]
        fields = {
            "action": "set",
            "shape": "polygon",
            "id": 7,
            "name": "",
            "there": False,
            "place": {"vertices": vertices},
        }
        assert encode("areas", fields, Version.V2013, Encoding())[0] == 0x8604
        if fits:
            assert encode("areas", fields, Version.V2011, Encoding())[0] == 0x8604
        else:
            with pytest.raises(ValueError, match="255"):
                encode("areas", fields, Version.V2011, Encoding())


@pytest.mark.parametrize(
    ("version", "head"), [(Version.V2011, "0C"), (Version.V2013, "0C"), (Version.V2019, "0F 01")]
)
def test_the_bytes_of_a_reminder(version: Version, head: str) -> None:
    """Shown (bit 2) and read aloud by TTS (bit 3); 2019: bits 0-1 = 11, a notice, and the kind 1."""
    fields = {"text": "请返回", "urgent": False, "display": True, "speak": True}
    message, body = encode("text", fields, version, Encoding())
    assert (message, body) == (0x8300, bytes.fromhex(head) + bytes.fromhex("C7EB B7B5 BBD8"))
