"""The durable log between gateway and worker. ``open_writer`` and ``open_reader`` choose the implementation."""

from __future__ import annotations

from telemetry.errors import ConfigurationError
from telemetry.log.base import POSITIONS, REJECTS, LogReader, LogWriter, Record, StoredRecord
from telemetry.log.embedded import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.runtime.settings import Settings

__all__ = [
    "POSITIONS",
    "REJECTS",
    "LogReader",
    "LogWriter",
    "Record",
    "StoredRecord",
    "open_reader",
    "open_writer",
]


def _no_kafka(settings: Settings) -> None:
    if settings.kafka_bootstrap:
        raise ConfigurationError("the Kafka log is not built yet", hint="unset GONGCHE_KAFKA_BOOTSTRAP")


def open_writer(settings: Settings) -> LogWriter:
    """The log that ``settings`` name, for appending."""
    _no_kafka(settings)
    return EmbeddedLogWriter(settings.data_dir / "log" / "log.sqlite", settings.log_partitions)


def open_reader(settings: Settings, topic: str = POSITIONS) -> LogReader:
    """The log that ``settings`` name, for reading ``topic``."""
    _no_kafka(settings)
    return EmbeddedLogReader(settings.data_dir / "log" / "log.sqlite", topic, settings.log_partitions)
