"""Life of one process: event loop, signals, and the link to the supervisor that started it.

SIGTERM or SIGINT sets ``stop``; the process finishes what it must and returns. A second signal ends it at
once: what was confirmed is durable, what was not is sent again by the terminal.

A supervisor (``gongche up``) gives its children one end of a socket pair. The child writes one line when it
is ready ("here is the port I got") and takes the closing of the other end as a request to stop, so no child
outlives a supervisor that was killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import orjson

from runtime.errors import ConfigurationError

#: File descriptor of the child's end of the supervisor's socket pair.
SUPERVISOR_FD = "GONGCHE_SUPERVISOR_FD"
EVENT_LOOP = "GONGCHE_EVENT_LOOP"

_logger = logging.getLogger(__name__)
T = TypeVar("T")


def install_event_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """Factory of the event loop to use: uvloop where it is installed, unless ``GONGCHE_EVENT_LOOP=asyncio``.

    Raises ConfigurationError for another value, or for ``uvloop`` where it is not installed.
    """
    wanted = os.environ.get(EVENT_LOOP, "")
    if wanted not in ("", "asyncio", "uvloop"):
        raise ConfigurationError(
            f"{EVENT_LOOP}={wanted}", hint="asyncio or uvloop; unset = uvloop where installed"
        )
    if wanted != "asyncio":
        try:
            import uvloop
        except ImportError:
            if wanted == "uvloop":
                raise ConfigurationError("uvloop is not installed", hint=f"unset {EVENT_LOOP}") from None
        else:
            factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
            return factory
    return asyncio.new_event_loop


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    """Run ``main(stop)`` to its end on a fresh event loop; SIGINT and SIGTERM set ``stop``.

    The second signal ends the process at once with status 128 + signal.
    """

    async def guarded() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_signal(number: int) -> None:
            if stop.is_set():
                _logger.warning("second signal: ending at once")
                os._exit(128 + number)
            _logger.info("stopping", extra={"fields": {"signal": signal.Signals(number).name}})
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal, number)
        return await main(stop)

    with asyncio.Runner(loop_factory=install_event_loop()) as runner:
        return runner.run(guarded())


class SupervisorLink:
    """The child's end. Without a supervisor every method does nothing."""

    def __init__(self, end: socket.socket | None) -> None:
        self._end = end

    @classmethod
    def from_environment(cls) -> SupervisorLink:
        """The link that ``GONGCHE_SUPERVISOR_FD`` names; taken once, so that no grandchild inherits it."""
        number = os.environ.pop(SUPERVISOR_FD, None)
        if number is None:
            return cls(None)
        try:
            end = socket.socket(fileno=int(number))
        except (ValueError, OSError) as error:
            raise ConfigurationError(
                f"{SUPERVISOR_FD}={number}: {error}", hint="set by `gongche up` only"
            ) from error
        end.setblocking(False)
        os.set_inheritable(end.fileno(), False)
        return cls(end)

    def ready(self, **facts: object) -> None:
        """Tell the supervisor that this process serves, with e.g. ``port=8808``. JSON values only."""
        if self._end is None:
            return
        try:
            self._end.send(orjson.dumps(facts) + b"\n")
        except OSError as error:
            _logger.warning("the supervisor does not listen: %s", error)

    def watch(self, stop: asyncio.Event) -> None:
        """Set ``stop`` when the supervisor is gone."""
        if self._end is None:
            return
        end, loop = self._end, asyncio.get_running_loop()

        def readable() -> None:
            try:
                data = end.recv(1024)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                loop.remove_reader(end.fileno())
                if not stop.is_set():
                    _logger.warning("the supervisor is gone: stopping")
                    stop.set()

        loop.add_reader(end.fileno(), readable)
