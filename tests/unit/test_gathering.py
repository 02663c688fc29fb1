"""When a gateway reads again after a turn."""

from __future__ import annotations

import pytest

from telemetry.gateway.gathering import MANY_FRAMES, REST_S, SYNC_S, pause_s


@pytest.mark.parametrize(
    ("frames", "connected", "syncing", "expected"),
    [
        (1, 1, False, 0.0),  # one terminal alone waits for nobody
        (1, 8, False, 0.0),
        (1, 9, False, REST_S),
        (1, 29_000, False, REST_S),
        (125, 29_000, True, REST_S),
        (1, 1, True, SYNC_S),
        (500, 1_000, True, SYNC_S),  # half of them wait for their replies
        (500, 1_000, False, 0.0),
        (MANY_FRAMES - 1, 29_000, True, REST_S),
        (MANY_FRAMES, 29_000, True, 0.0),  # a city that comes back after an outage
        (MANY_FRAMES, 29_000, False, 0.0),
        (0, 29_000, False, 0.0),  # nothing was said: somebody connected, or left
        (0, 29_000, True, SYNC_S),
    ],
)
def test_the_pause_follows_from_how_many_have_spoken(
    frames: int, connected: int, syncing: bool, expected: float
) -> None:
    assert pause_s(frames, connected, syncing=syncing) == expected
