"""The allow list of devices: the IMEI and the SIM card (ICCID) that the office named for a terminal, and what terminals say of themselves.

Only the 2019 edition says an IMEI when it authenticates; a card is named in the answer to 0x8107 (2013 and 2019). Where the protocol has no
field for it nothing is checked. Who shows another IMEI is refused; of another card the office is told. The SQL that writes these columns of
``terminals`` is here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from runtime.connection import Connection
from telemetry.terminals import notices

#: Other IMEIs of one notice that are remembered.
MAX_SHOWN: Final = 5
_SEPARATORS: Final = re.compile(r"[\s\-./:]+")
_FIELDS: Final = ("reported_imei", "reported_iccid", "reported_software", "model")
#: Longer texts of a terminal are cut.
_LONGEST: Final = 40


def same_imei(named: str, shown: str) -> bool:
    """Whether a device shows the IMEI that the office named."""
    return plain_number(named) == plain_number(shown)


class OtherDeviceError(Exception):
    """The code is right, and the device shows another IMEI than the one that the office named, or none where its edition has one."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        super().__init__(f"IMEI {shown!r} is not the one that the registry names" if shown else "no IMEI")


def plain_number(text: str) -> str:
    """An IMEI or ICCID to be compared: digits and capitals, without the padding of BCD behind."""
    return _SEPARATORS.sub("", text).upper().rstrip("F").strip("\0")


def same_card(named: str, shown: str) -> bool:
    """Whether two ICCIDs are the same: some leave out the check digit, the twentieth."""
    one, other = plain_number(named), plain_number(shown)
    short = min(len(one), len(other))
    return one == other or (short >= 19 and one[:19] == other[:19])


@dataclass(frozen=True, slots=True)
class Device:
    """What a terminal says of itself when it authenticates. ``shows``: in a form that has a field for it (2019)."""

    imei: str
    software: str
    shows: bool

    def check(self, named: str, edition: int | None) -> None:
        """Raises OtherDeviceError. ``named``: the IMEI that the office named, "" = any; ``edition``: of the terminal's registration. One
        that registered by 2019 and authenticates in an older form hides what it has."""
        if named and (self.shows or edition == 2019) and not same_imei(named, self.imei):
            raise OtherDeviceError(self.imei)


class Reports:
    """What is to be written of what terminals said, gathered in memory: one row a terminal, however often it says it."""

    def __init__(self) -> None:
        self._said: dict[int, dict[str, str]] = {}
        self._refused: dict[int, tuple[str, list[str]]] = {}
        self._right: set[int] = set()
        self._cards: dict[int, tuple[str, str]] = {}

    def logged_in(self, terminal: Any, device: Device) -> None:
        """``terminal`` (``directory.Terminal``) has authenticated as ``device``."""
        self._say(terminal, {"reported_imei": device.imei, "reported_software": device.software})
        if terminal.imei and device.shows:
            self._right.add(terminal.no)

    def other_imei(self, no: int, named: str, shown: str) -> None:
        """A device with the right code showed another IMEI."""
        self._right.discard(no)
        before = self._refused.get(no, (named, []))[1]
        self._refused[no] = named, [*(one for one in before if one != shown), shown[:_LONGEST]][-MAX_SHOWN:]

    def answered(self, terminal: Any, attributes: Mapping[str, Any]) -> bool:
        """``terminal`` answered what it is (0x0107); whether its card is the one that the office named, or any may be."""
        iccid = plain_number(str(attributes.get("iccid") or ""))
        said = {"reported_iccid": iccid}
        if not terminal.model:  # it named none when it registered; a dialect may be that of a model
            said["model"] = str(attributes.get("model") or "").strip()
        self._say(terminal, said)
        right = not terminal.iccid or same_card(terminal.iccid, iccid)
        if terminal.iccid:
            self._cards[terminal.no] = (terminal.iccid, "" if right else iccid or "-")
        return right

    def _say(self, terminal: Any, said: Mapping[str, str]) -> None:
        news = {
            name: text[:_LONGEST]
            for name, text in said.items()
            if text and text[:_LONGEST] != getattr(terminal, name)
        }
        if news:
            self._said.setdefault(terminal.no, {}).update(news)

    async def write(self, connection: Connection) -> None:
        """Write what was gathered. What fails is kept for the next time."""
        if self._said:
            said = dict(sorted(self._said.items()))
            # Locked in the order of phones, as every other write of terminals: two gateways cannot deadlock.
            async with connection.transaction():
                await connection.execute(
                    "SELECT FROM terminals WHERE no = ANY($1::integer[]) ORDER BY phone FOR NO KEY UPDATE",
                    list(said),
                )
                await connection.execute(
                    "UPDATE terminals t SET reported_imei = COALESCE(u.imei, t.reported_imei), reported_iccid = COALESCE(u.iccid,"
                    " t.reported_iccid), reported_software = COALESCE(u.software, t.reported_software),"
                    " model = CASE WHEN t.model = '' THEN COALESCE(u.model, '') ELSE t.model END, updated_at = clock_timestamp()"
                    " FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[]) AS u (no, imei, iccid, software, model)"
                    " WHERE t.no = u.no",
                    list(said),
                    *([one.get(name) for one in said.values()] for name in _FIELDS),
                )
            self._said = {no: one for no, one in self._said.items() if one != said.get(no)}
        if self._refused or self._cards:
            refused, self._refused = self._refused, {}
            cards, self._cards = self._cards, {}
            await notices.put(
                connection,
                [
                    notices.Notice(
                        no, "other_imei", "device", {"named": named, "shown": shown[-1], "all": shown}
                    )
                    for no, (named, shown) in refused.items()
                ]
                + [
                    notices.Notice(no, "other_card", "card", {"named": named, "shown": shown})
                    for no, (named, shown) in cards.items()
                    if shown
                ],
            )
            await notices.settle(
                connection, [no for no, (_, shown) in cards.items() if not shown], "other_card"
            )
        if self._right:
            right, self._right = self._right, set()
            await notices.settle(connection, sorted(right), "other_imei")
