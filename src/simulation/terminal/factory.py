"""The parameters of a simulated device as it comes from its maker: a believable value for the ids of its edition (0x8103, table of ids)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.parameter_ids import PARAMETERS

#: By id; what an edition does not have is left out of its devices.
_VALUES: Final[dict[int, int | str | bytes]] = {
    0x01: 60, 0x02: 10, 0x03: 3, 0x04: 10, 0x05: 3, 0x06: 60, 0x07: 3,
    0x10: "cmiot", 0x11: "", 0x12: "", 0x13: "127.0.0.1", 0x17: "127.0.0.1", 0x18: 8808, 0x19: 8808,
    0x20: 0, 0x21: 0, 0x22: 30, 0x27: 300, 0x28: 5, 0x29: 10, 0x2C: 200, 0x2D: 500, 0x2E: 1_000, 0x2F: 50, 0x30: 30, 0x31: 500,
    0x32: bytes((22, 0, 5, 0)),
    0x40: "05138000000", 0x41: "05138000001", 0x42: "05138000002", 0x43: "05138000003", 0x44: "05138000003", 0x45: 0,
    0x46: 600, 0x47: 36_000, 0x48: "05138000004", 0x49: "05138000005",
    0x50: 0, 0x51: 1, 0x52: 1, 0x53: 1, 0x54: 1, 0x55: 100, 0x56: 10, 0x57: 14_400, 0x58: 28_800, 0x59: 1_200, 0x5A: 86_400,
    0x5B: 50, 0x5C: 1_800, 0x5D: 0x0A04, 0x5E: 30, 0x64: 0, 0x65: 0,
    0x70: 5, 0x71: 128, 0x72: 64, 0x73: 64, 0x74: 128, 0x80: 0, 0x81: 32, 0x82: 600, 0x84: 1,
    0x90: 0b11, 0x91: 1, 0x92: 1, 0x93: 1, 0x94: 0, 0x95: 1, 0x100: 0, 0x101: 0,
}  # fmt: skip


@lru_cache
def factory_parameters(version: Version) -> Mapping[int, object]:
    """Values by id, each one that the table of ``version`` can encode; the plate (0x83) is the vehicle's. All devices share it."""
    known = PARAMETERS[version]
    return MappingProxyType({number: _VALUES[number] for number in sorted(_VALUES) if number in known})
