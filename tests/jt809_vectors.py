"""Frames of JT/T 809 that were put together by hand from the tables of the standard: what a field is, is said beside its bytes."""

from __future__ import annotations

from typing import Final


def joined(*parts: str) -> bytes:
    """The bytes of hex parts; what stands behind # is a remark."""
    return bytes.fromhex("".join(part.split("#")[0] for part in parts))


#: Login of 2011, in clear; before escaping, without flags and CRC.
LOGIN_2011: Final = joined(
    "00000048 # length: 1 + 22 + 46 + 2 + 1",
    "00000007 # serial",
    "1001     # main link, login",
    "0012D687 # access code 1234567",
    "010000   # version 1.0.0",
    "00       # not encrypted",
    "00000000 # no key",
    "0000270F # user 9999",
    "70617373776F7264 # password",
    "31302E302E302E31" + "00" * 24 + "# 10.0.0.1",
    "2259     # port 8793",
)
LOGIN_FIELDS: Final = {"user_id": 9999, "password": "password", "down_ip": "10.0.0.1", "down_port": 8793}
#: The same of 2019: the time of sending in the header, the access code in the body.
LOGIN_2019: Final = joined(
    "00000054 # length: 1 + 30 + 50 + 2 + 1",
    "00000007 1001 0012D687 010000 00 00000000",
    "000000006AA4F1B0 # time of sending",
    "0000270F 70617373776F7264",
    "0012D687 # access code",
    "31302E302E302E31" + "00" * 24,
    "2259",
)
#: A position of 2011: 苏F12345, blue, 2026-11-30 08:05:09, 120.864641 E 32.012089 N, 61 km/h, recorder 60, 12,345 km, 271 degrees, 7 m.
POSITION_2011: Final = joined(
    "0000005A # length: 1 + 22 + 64 + 2 + 1",
    "00000100 1200 0012D687 010000 00 00000000",
    "CBD5463132333435" + "00" * 13 + "# plate, 21 bytes of GBK",
    "01       # blue",
    "1202",
    "00000024 # 36 bytes follow",
    "00       # not shifted",
    "1E 0B 07EA # day, month, year",
    "08 05 09",
    "07343F81 # 1e-6 degree",
    "01E87739",
    "003D 003C 00003039 010F 0007",
    "00000003 # ACC on, positioned",
    "00000001 # SOS",
)
