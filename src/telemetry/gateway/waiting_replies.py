"""Replies that wait until the log has confirmed what they reply to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runtime.arrays import AnyArray
from telemetry.gateway import metrics
from telemetry.gateway.connection import Connection
from telemetry.jt808.columns.acknowledge import general_replies
from telemetry.jt808.scalar.header import Header
from telemetry.jt808.scalar.replies import Result


@dataclass(frozen=True, slots=True, eq=False)
class ColumnReceipt:
    """Replies to one loop turn's position frames. Frames ``first[i]`` up to ``first[i + 1]`` came from
    ``connections[i]``; ``columns`` are the arguments of ``general_replies``."""

    send: Callable[[Sequence[Connection], bytes, Sequence[int]], None]
    read_at: float
    connections: list[Connection]
    first: AnyArray
    columns: dict[str, AnyArray]

    def release(self) -> None:
        """Send every connection its replies in one go; those that have gone meanwhile are passed over."""
        data, offsets = general_replies(**self.columns)
        count = len(offsets) - 1
        self.send(self.connections, data, [*offsets[self.first[1:]].tolist(), len(data)])
        metrics.REPLIES.inc(count)
        metrics.REPLY_SECONDS.observe(asyncio.get_running_loop().time() - self.read_at)


@dataclass(frozen=True, slots=True, eq=False)
class ScalarReceipt:
    """The replies to one message (to each of its packages) whose positions came by the scalar way."""

    send: Callable[[Connection, bytes | memoryview], None]
    read_at: float
    connection: Connection
    headers: tuple[Header, ...]

    def release(self) -> None:
        """Send the replies, if the connection is still there."""
        connection = self.connection
        if not connection.closed:
            self.send(connection, b"".join(connection.session.reply(h, Result.OK) for h in self.headers))
            metrics.REPLIES.inc(len(self.headers))
            metrics.REPLY_SECONDS.observe(asyncio.get_running_loop().time() - self.read_at)
