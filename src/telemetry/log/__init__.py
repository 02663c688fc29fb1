"""The durable log between gateway and worker. ``open_writer``, ``open_reader`` and ``open_tail`` choose the implementation."""

from __future__ import annotations

from runtime.settings import Settings
from telemetry.log.base import (
    POSITIONS,
    REJECTS,
    REPORTS,
    LogReader,
    LogTail,
    LogWriter,
    Record,
    StoredRecord,
)
from telemetry.log.kafka.reader import KafkaLogReader
from telemetry.log.kafka.tail import KafkaTail
from telemetry.log.kafka.writer import KafkaLogWriter
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.log.tail import EmbeddedTail

__all__ = [
    "POSITIONS",
    "REJECTS",
    "REPORTS",
    "LogReader",
    "LogTail",
    "LogWriter",
    "Record",
    "StoredRecord",
    "open_reader",
    "open_tail",
    "open_writer",
]


def open_writer(settings: Settings) -> LogWriter:
    """The log that ``settings`` name, for appending; call its ``start`` first."""
    if settings.kafka_bootstrap:
        return KafkaLogWriter(settings)
    return EmbeddedLogWriter(settings.data_dir / "log" / "log.sqlite", settings.log_partitions)


def open_reader(settings: Settings, topic: str = POSITIONS) -> LogReader:
    """The log that ``settings`` name, for reading ``topic``; call its ``start`` first."""
    if settings.kafka_bootstrap:
        return KafkaLogReader(settings, topic)
    return EmbeddedLogReader(settings.data_dir / "log" / "log.sqlite", topic, settings.log_partitions)


def open_tail(settings: Settings) -> LogTail:
    """The end of the log that ``settings`` name; ``open`` it first."""
    if settings.kafka_bootstrap:
        return KafkaTail(settings)
    return EmbeddedTail(settings.data_dir / "log" / "log.sqlite", settings.log_partitions)
