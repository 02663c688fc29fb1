"""Who sits at the other end: registration (0x0100) and authentication (0x0102) against the directory of terminals."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from telemetry.errors import UnavailableError
from telemetry.gateway import metrics
from telemetry.gateway.connection import Connection, Slots
from telemetry.gateway.sockets import Sockets
from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.session import Authenticate, Register
from telemetry.terminals import TerminalDirectory

logger = logging.getLogger(__name__)


class Registrar:
    """Admits terminals to slots; one connection a terminal, the newest wins. ``reject`` counts and keeps refusals."""

    def __init__(
        self,
        directory: TerminalDirectory,
        sockets: Sockets,
        slots: Slots,
        reject: Callable[[Connection, Rejection], None],
    ) -> None:
        self._directory = directory
        self._sockets = sockets
        self._slots = slots
        self._reject = reject
        self._by_terminal: dict[int, Connection] = {}
        self._refreshing = asyncio.Lock()

    async def register(self, connection: Connection, action: Register) -> None:
        """Answer a registration. While the registry does not answer there is no reply: the terminal asks again."""
        try:
            result, code, _terminal = await self._directory.register(
                action.header.terminal_phone, action.registration
            )
        except UnavailableError as error:
            logger.warning(
                "registration of %s not answered, the terminal will ask again: %s", connection.peer, error
            )
            return
        if not connection.closed:
            if result:
                self._reject(
                    connection, Rejection(Reason.UNKNOWN_TERMINAL, f"registration result {result}", b"")
                )
            self._sockets.send(connection, connection.session.registered(action.header, result, code))

    def authenticate(self, connection: Connection, action: Authenticate) -> bool:
        """Admit a terminal whose code memory knows; False = it does not (see ``authenticate_after_refresh``)."""
        terminal = self._directory.verify(action.header.terminal_phone, action.authentication.code)
        if terminal is None:
            return False
        self._admit(connection, action, terminal.no)
        return True

    async def authenticate_after_refresh(self, connection: Connection, action: Authenticate) -> None:
        """Decide about a code that may have been issued by another gateway."""
        async with self._refreshing:  # however many ask, one query at a time
            try:
                await self._follow()
            except UnavailableError as error:
                logger.warning("authentication decided by what is known: %s", error)
        if connection.closed or self.authenticate(connection, action):
            return
        self._reject(connection, Rejection(Reason.BAD_CODE, "authentication refused", b""))
        self._sockets.send(connection, connection.session.authenticated_as(action.header, None))

    async def refresh(self) -> None:
        """Follow the registry: new terminals, and those that were disabled, which are closed."""
        try:
            await self._follow()
        except UnavailableError as error:
            logger.warning("terminal registry not refreshed, going on with what is known: %s", error)

    async def _follow(self) -> None:
        for terminal in await self._directory.refresh():
            connection = self._by_terminal.get(terminal)
            if connection is not None and not self._directory.is_enabled(terminal):
                self._sockets.close(connection, "disabled")

    def forget(self, connection: Connection) -> None:
        """No positions are taken from ``connection`` any more."""
        terminal = int(self._slots.terminal[connection.slot])
        if terminal:
            self._slots.clear(connection.slot)
            if self._by_terminal.get(terminal) is connection:
                del self._by_terminal[terminal]
            metrics.AUTHENTICATED.set(len(self._by_terminal))

    def _admit(self, connection: Connection, action: Authenticate, terminal: int) -> None:
        older = self._by_terminal.get(terminal)
        if older is not None and older is not connection:
            # The newest wins: a half-open socket must not lock the vehicle out.
            self._sockets.close(older, "replaced")
        self._by_terminal[terminal] = connection
        self._slots.authenticate(connection.slot, action.header.phone, terminal)
        self._sockets.send(connection, connection.session.authenticated_as(action.header, terminal))
        metrics.AUTHENTICATED.set(len(self._by_terminal))
