"""Which terminal a connection is: registration (0x0100) and authentication (0x0102) against the directory of terminals."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from runtime.errors import UnavailableError
from runtime.faults import of_one_fact
from telemetry.gateway import metrics
from telemetry.gateway.connection import Connection, ConnectionTable
from telemetry.gateway.downlink import Downlink
from telemetry.gateway.limits import Rates
from telemetry.gateway.sockets import Sockets
from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.scalar.replies import RegistrationResult
from telemetry.jt808.session import Authenticate, Register
from telemetry.terminals.devices import Device, OtherDeviceError, same_imei
from telemetry.terminals.dialect_corrections import DialectCorrections
from telemetry.terminals.directory import Terminal, TerminalDirectory

logger = logging.getLogger(__name__)

_ALREADY = RegistrationResult.TERMINAL_ALREADY_REGISTERED
#: Registrations of one phone number at once, and in a minute after that: each costs a database write, and nobody has
#: authenticated yet.
REGISTRATIONS = 20
_REFRESH_S = 2.0
#: Pause after the registry could not be read: however often terminals authenticate, it is asked no more often.
_RETRY_S = 0.2


class Registrar:
    """Decides which terminal a connection is; one connection a terminal, the newest wins. ``reject`` counts and keeps refusals.

    A code that memory does not know may have been issued by another gateway, so its connection waits for the next look
    at the registry (``follow``): one authentication a connection, and one look for all that asked before it began.
    ``downlink`` is told who comes and goes.
    """

    def __init__(
        self,
        directory: TerminalDirectory,
        sockets: Sockets,
        table: ConnectionTable,
        reject: Callable[[Connection, Rejection], None],
        downlink: Downlink | None = None,
        dialects: DialectCorrections | None = None,
    ) -> None:
        self._downlink = downlink
        self._dialects = dialects
        self._directory = directory
        self._sockets = sockets
        self._table = table
        self._reject = reject
        self._by_terminal: dict[int, Connection] = {}
        self._waiting: dict[Connection, Authenticate] = {}
        self._asked = asyncio.Event()
        self._rates = Rates(REGISTRATIONS, REGISTRATIONS / 60)

    async def register(self, connection: Connection, action: Register) -> None:
        """Answer a registration. While the registry does not answer there is no reply: the terminal asks again."""
        if not self._rates.take(action.header.terminal_phone, time.monotonic()):
            self._reject(connection, Rejection(Reason.RATE, "registrations of one phone number", b""))
            self._sockets.close(connection, "registration_rate")
            return
        try:
            result, code, terminal = await self._directory.register(
                action.header.terminal_phone, action.registration
            )
        except UnavailableError as error:
            logger.warning(
                "registration of %s not answered, the terminal will ask again: %s", connection.peer, error
            )
            return
        if not connection.closed:
            if result:
                reason, detail = Reason.UNKNOWN_TERMINAL, f"registration result {result}"
                if terminal is not None:
                    reason = Reason.OTHER_DEVICE
                    known = "registered first" if result == _ALREADY else "is named by the registry"
                    detail = f"device {action.registration.device_id!r}: another one {known}"
                    metrics.OTHER_DEVICES.inc()
                self._reject(connection, Rejection(reason, detail, b""))
            self._sockets.send(connection, connection.session.registered(action.header, result, code))

    def authenticate(self, connection: Connection, action: Authenticate) -> None:
        """Admit a terminal whose code memory knows; what is decided about any other comes from ``follow``."""
        with suppress(OtherDeviceError):  # the office may have named another one just now
            if self._verified(connection, action):
                return
        self._waiting[connection] = action
        self._asked.set()

    def _verified(self, connection: Connection, action: Authenticate) -> bool:
        said = action.authentication
        device = Device(said.imei, said.software, said.version is Version.V2019)
        terminal = self._directory.verify(action.header.terminal_phone, said.code, device)
        if terminal is not None:
            self._admit(connection, action, terminal)
            connection.session.shown_imei = device.imei if device.shows else None
        return terminal is not None

    async def follow(self) -> None:
        """For ever: follow the registry (new terminals; those that were disabled are closed) every few seconds, and at
        once while authentications wait for it.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH_S):
                    await self._asked.wait()
            self._asked.clear()
            asked, self._waiting = self._waiting, {}
            try:
                await self._follow()
            except UnavailableError as error:
                logger.warning("terminal registry not refreshed, going on with what is known: %s", error)
                await asyncio.sleep(_RETRY_S)
            except Exception as error:
                if not of_one_fact(error):
                    raise
                metrics.REGISTRY_FAULTS.inc()
                logger.error(
                    "程序故障，请报告 / a fault of the program on the terminal registry, going on with what is known",
                    exc_info=error,
                )
                await asyncio.sleep(_RETRY_S)
            for connection, action in asked.items():
                self._decide(connection, action)

    def _decide(self, connection: Connection, action: Authenticate) -> None:
        """By what memory knows now, unless something newer happened on the connection meanwhile."""
        if connection.closed or not connection.session.awaits(action):
            return
        try:
            if self._verified(connection, action):
                return
            refused = Rejection(Reason.BAD_CODE, "authentication refused", b"")
        except OtherDeviceError as error:
            terminal = self._directory.find(action.header.terminal_phone)
            if terminal is not None:
                self._directory.reports.other_imei(terminal.no, terminal.imei, error.shown)
            refused = Rejection(Reason.OTHER_IMEI, str(error), b"")
        self._reject(connection, refused)
        self._sockets.send(connection, connection.session.authenticated_as(action.header, None))
        if not connection.closed:
            self.forget(connection)

    async def _follow(self) -> None:
        changed = await self._directory.refresh()
        for terminal in changed:
            connection = self._by_terminal.get(terminal)
            if connection is None:
                continue
            if not self._directory.is_enabled(terminal):
                self._sockets.close(connection, "disabled")
                continue
            named, shown = self._directory.imei_of(terminal), connection.session.shown_imei
            if named and shown is not None and not same_imei(named, shown):
                self._sockets.close(connection, "other_imei")  # it is refused when it comes again
        if self._dialects is not None:
            found = (self._directory.by_number(no) for no in changed)
            await self._dialects.follow(one for one in found if one is not None)

    def forget(self, connection: Connection) -> None:
        """No positions are taken from ``connection`` any more."""
        if connection.closed:
            self._waiting.pop(connection, None)
        terminal = int(self._table.terminal[connection.slot])
        if terminal:
            self._table.clear(connection.slot)
            if self._by_terminal.get(terminal) is connection:
                del self._by_terminal[terminal]
            if self._downlink is not None:
                self._downlink.left(connection, terminal)
            metrics.AUTHENTICATED.set(len(self._by_terminal))

    def _admit(self, connection: Connection, action: Authenticate, known: Terminal) -> None:
        terminal = known.no
        other = self._by_terminal.get(terminal)
        if other is not None and other is not connection:
            # The newest wins: a half-open socket must not lock the vehicle out. The newest is the one that was opened
            # last, whichever is decided last.
            if other.number > connection.number:
                self._sockets.close(connection, "replaced")
                return
            self._sockets.close(other, "replaced")
        if self._table.terminal[connection.slot] != terminal:
            self.forget(connection)
        self._by_terminal[terminal] = connection
        self._table.authenticate(connection.slot, action.header.phone, terminal)
        connection.session.speaks(action.header, known.edition)
        self._sockets.send(connection, connection.session.authenticated_as(action.header, terminal))
        if self._downlink is not None and not connection.closed:
            self._downlink.joined(connection, terminal, action.header)
        metrics.AUTHENTICATED.set(len(self._by_terminal))
