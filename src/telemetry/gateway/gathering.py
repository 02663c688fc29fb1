"""How long a gateway waits after a turn before it reads again, so that more comes together. Pure.

A turn costs as much as a hundred frames, whatever it has: so at the rates of a city, where a few dozen terminals speak in any
hundredth of a second, nearly everything would be turns.
"""

from __future__ import annotations

from typing import Final

#: A turn of so many frames has enough: it is read again at once.
MANY_FRAMES: Final = 1000
#: While the log syncs nothing can be replied to: a small turn is followed by this.
SYNC_S: Final = 0.005
#: Where less than this share of those who are connected has spoken, the others report whenever they like and wait for nothing: a
#: longer pause, whatever the log does. Where a larger share speaks at once, most wait for their replies.
SHARE: Final = 1 / 8
REST_S: Final = 0.025


def pause_s(frames: int, connected: int, *, syncing: bool) -> float:
    """Seconds until it is read again, 0 = at once, after a turn of ``frames`` while ``connected`` connections are open.
    ``syncing``: something waits for the log."""
    if frames >= MANY_FRAMES:
        return 0.0
    if 0 < frames < connected * SHARE:
        return REST_S
    return SYNC_S if syncing else 0.0
