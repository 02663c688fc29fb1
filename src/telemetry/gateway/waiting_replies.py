"""Replies that wait until the log has confirmed what they reply to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from runtime.arrays import AnyArray
from telemetry.gateway import metrics
from telemetry.gateway.connection import Connection, ConnectionTable
from telemetry.jt808.columns.acknowledge import general_replies
from telemetry.jt808.reporting import Reported
from telemetry.jt808.scalar.header import Header
from telemetry.jt808.scalar.replies import Result


@dataclass(frozen=True, slots=True, eq=False)
class ColumnReceipt:
    """Replies to one loop turn's position frames.

    Frames ``first[i]`` up to ``first[i + 1]`` came from ``connections[i]``, which had ``slots[i]`` of ``table`` with
    ``holders[i]`` then. ``columns`` are the arguments of ``general_replies`` but for our own serials: those are taken when
    the replies are sent.
    """

    send: Callable[[Sequence[Connection], bytes, Sequence[int]], None]
    read_at: float
    table: ConnectionTable
    connections: list[Connection]
    slots: AnyArray
    holders: AnyArray
    first: AnyArray
    columns: dict[str, AnyArray]

    def release(self) -> None:
        """Send every connection its replies in one go; those that have gone meanwhile are passed over."""
        count = len(self.columns["of_serial"])
        serial = self.table.next_serials(self.slots, self.holders, np.diff(self.first, append=count))
        data, offsets = general_replies(serial=serial, **self.columns)
        self.send(self.connections, data, [*offsets[self.first[1:]].tolist(), len(data)])
        metrics.REPLIES.inc(count)
        metrics.REPLY_SECONDS.observe(asyncio.get_running_loop().time() - self.read_at)


@dataclass(frozen=True, slots=True, eq=False)
class ReportReceipt:
    """The replies to a message that is no position."""

    send: Callable[[Connection, bytes | memoryview], None]
    connection: Connection
    reported: Reported

    def release(self) -> None:
        """Send the replies, if the connection is still there."""
        if not self.connection.closed and (frames := self.connection.session.reported(self.reported)):
            self.send(self.connection, frames)


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
