"""Requests to a routing engine: bounded in time, number, size and tries, and none while it is down."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import httpx

from rules.navigation import metrics
from rules.navigation.base import EngineError

_logger = logging.getLogger(__name__)

#: An answer that is larger is not read to its end.
MOST_BYTES: Final = 8 << 20
#: Whether the reader may take this number for a length or a time: 10,000 km in mm.
_MOST_WHOLE: Final = 10**10


class Breaker:
    """After ``failures`` failures in a row nothing is asked for ``pause_s``, then one question decides."""

    def __init__(
        self, failures: int = 5, pause_s: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._pause_s, self._clock = failures, pause_s, clock
        self._failed = 0
        self._until = 0.0

    @property
    def open(self) -> bool:
        """Whether the engine is left in peace."""
        return self._failed >= self._limit

    def allow(self) -> bool:
        """Whether to ask now. While it is open, one caller after each pause gets True."""
        if not self.open:
            return True
        if self._clock() < self._until:
            return False
        self._until = self._clock() + self._pause_s
        return True

    def success(self) -> None:
        """It answered."""
        self._failed = 0

    def failure(self) -> None:
        """It did not."""
        self._failed += 1
        if self._failed >= self._limit:
            self._until = self._clock() + self._pause_s


@dataclass(frozen=True, slots=True)
class Limits:
    """``timeout_s``: of one try, with everything. ``tries``: of one question. ``backoff_s``: before the second try,
    doubled before each further one, of which a random half to whole is waited. ``concurrency``: tries at a time."""

    timeout_s: float = 8.0
    tries: int = 3
    backoff_s: float = 0.2
    concurrency: int = 8
    most_bytes: int = MOST_BYTES
    breaker: Callable[[], Breaker] = field(default=Breaker)


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that says that the engine does not serve now. ``result``: for the metric. ``passes``: trying again in a
    moment may help."""

    result: str
    why: str
    passes: bool


class EngineHttp:
    """The HTTP side of one engine. ``proxies``: take proxies from the environment (never for an engine of one's own).
    ``failure``: what an engine that fails with HTTP 200 says by its JSON (None: it answers)."""

    def __init__(
        self,
        engine: str,
        url: str,
        limits: Limits | None = None,
        *,
        proxies: bool = False,
        failure: Callable[[dict[str, Any]], Failure | None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._engine, self._limits = engine, limits or Limits()
        self._breaker = self._limits.breaker()
        self._places = asyncio.Semaphore(self._limits.concurrency)
        self._failure, self._sleep = failure, sleep
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            timeout=self._limits.timeout_s,
            trust_env=proxies,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=self._limits.concurrency),
        )

    async def ask(
        self, method: str, path: str, *, params: dict[str, str] | None = None, body: Any = None
    ) -> tuple[int, dict[str, Any]]:
        """(status, JSON object; fractions as Decimal) of an answer below 500 that is not 429 and no failure by
        ``failure``. Raises EngineError when there is none after all tries, or while the breaker is open. Its text never
        holds ``params``."""
        why = "never tried"
        for attempt in range(self._limits.tries):
            if attempt:
                pause = self._limits.backoff_s * 2 ** (attempt - 1)
                await self._sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads tries, hides nothing
            async with self._places:
                if not self._breaker.allow():
                    raise EngineError(f"{self._engine} is left in peace after failures ({why})")
                result, why, answer = await self._try(method, path, params, body)
            failed = self._failure(answer[1]) if answer is not None else None
            if failed is not None:
                result, why, answer = failed.result, failed.why, None
            metrics.REQUESTS.labels(self._engine, result).inc()
            self._note(answer is not None, why)
            if answer is not None:
                return answer
            if failed is not None and not failed.passes:
                raise EngineError(f"{self._engine}: {why}")
        raise EngineError(f"{self._engine}: {why}, {self._limits.tries} times")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _note(self, answered: bool, why: str) -> None:
        was = self._breaker.open
        if answered:
            self._breaker.success()
        else:
            self._breaker.failure()
        if self._breaker.open != was:
            metrics.BREAKER.labels(self._engine).set(int(self._breaker.open))
            if answered:
                _logger.info("%s answers again", self._engine)
            else:
                _logger.warning("%s does not answer (%s): left in peace for a while", self._engine, why)

    async def _try(
        self, method: str, path: str, params: dict[str, str] | None, body: Any
    ) -> tuple[str, str, tuple[int, dict[str, Any]] | None]:
        """(result for the metric, why, answer)."""
        try:
            with metrics.SECONDS.labels(self._engine).time():
                async with asyncio.timeout(self._limits.timeout_s):
                    status, content = await self._read(method, path, params, body)
        except TimeoutError:
            return "timeout", f"no answer within {self._limits.timeout_s:g} s", None
        except httpx.TimeoutException:
            return "timeout", f"no answer within {self._limits.timeout_s:g} s", None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return "unreachable", type(error).__name__, None
        if content is None:
            return "too_large", f"an answer of more than {self._limits.most_bytes} bytes", None
        if status >= 500 or status == 429:
            return "error_status", f"HTTP {status}", None
        try:
            value = json.loads(content, parse_float=Decimal, parse_constant=_refuse)
        except (ValueError, ArithmeticError, RecursionError):  # Arithmetic: an exponent beyond every limit
            return "unreadable", f"HTTP {status} without readable JSON", None
        if not isinstance(value, dict):
            return "unreadable", f"HTTP {status} without a JSON object", None
        return "answered", "", (status, value)

    async def _read(
        self, method: str, path: str, params: dict[str, str] | None, body: Any
    ) -> tuple[int, bytes | None]:
        content = bytearray()
        async with self._client.stream(method, path, params=params, json=body) as response:
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > self._limits.most_bytes:
                    return response.status_code, None
            return response.status_code, bytes(content)


def _refuse(text: str) -> Any:
    raise ValueError(text)


def word(value: Any, most: int = 40) -> str:
    """What an engine says, as text for people that can be kept and logged: one short line of printable characters."""
    text = str(value) if isinstance(value, str | int | Decimal) else type(value).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in text[:most])


def whole(value: Any, scale: int = 1) -> int:
    """``value`` (an int or Decimal of JSON) times ``scale``, half up. Raises ValueError for anything else, for a
    negative number and for one beyond 1e10 / scale."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | Decimal)
        or not 0 <= value <= _MOST_WHOLE // scale
    ):
        raise ValueError(f"not a sane number: {str(value)[:40]}")
    return int((value * scale * 2 + 1) // 2)
