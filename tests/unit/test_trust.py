"""Who is the device that registered first, and how often a stranger may ask."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telemetry.gateway.limits import Admission, Limits, Rates
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.scalar.messages import Registration
from telemetry.terminals.trust import Known, same_device

ASKS = Registration(32, 600, "MAKER", "M-1", "DEV0001", 1, "苏F12345", Version.V2013)
KNOWN = Known(1, (), "MAKER", "DEV0001", "苏F12345", False)


@pytest.mark.parametrize(
    ("known", "asks", "same"),
    [
        (KNOWN, ASKS, True),
        (KNOWN, replace(ASKS, device_id="dev0001 ", manufacturer="maker"), True),
        (KNOWN, replace(ASKS, device_id="DEV0002"), False),
        (KNOWN, replace(ASKS, device_id=""), False),
        (KNOWN, replace(ASKS, manufacturer="OTHER"), False),
        (KNOWN, replace(ASKS, plate="苏F99999"), False),
        (KNOWN, replace(ASKS, plate=""), True),
        (replace(KNOWN, plate=""), ASKS, True),
        (replace(KNOWN, device_id=""), ASKS, False),
        (replace(KNOWN, device_id="", manufacturer="", plate="", first=True), ASKS, True),
        (replace(KNOWN, manufacturer="某厂", office_said=("manufacturer",)), ASKS, True),
        (replace(KNOWN, manufacturer="X", plate="Y", office_said=("device_id",)), ASKS, True),
        (replace(KNOWN, device_id="D2", office_said=("device_id",), first=True), ASKS, False),
    ],
)
def test_which_device_is_the_first(known: Known, asks: Registration, same: bool) -> None:
    assert same_device(known, asks) is same


def test_rates_are_bounded_in_number_and_in_memory() -> None:
    rates = Rates(3, 0.5, most=10)
    assert [rates.take("a", 0) for _ in range(5)] == [True, True, True, False, False]
    assert [rates.take("a", 2), rates.take("a", 2)] == [True, False]
    assert [rates.take("b", 2), rates.take("a", 100), rates.take("a", 100)] == [True, True, True]
    for k in range(1000):
        assert rates.take(str(k), 100)
    assert len(rates) == 10


def test_one_address_that_connects_again_and_again_is_refused() -> None:
    admission = Admission(Limits(max_connections_per_address=10))
    told = []
    for _ in range(200):
        told.append(admission.enter("a", 0))
        if told[-1] is None:
            admission.leave("a")
    assert told == [None] * 140 + ["address_rate"] * 60
    assert admission.enter("b", 0) is None
    assert admission.enter("a", 1) is None
