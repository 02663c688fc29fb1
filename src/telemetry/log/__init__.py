"""The durable log between gateway and worker. ``open_writer`` and ``open_reader`` choose the implementation."""

from __future__ import annotations

from runtime.settings import Settings
from telemetry.log.base import POSITIONS, REJECTS, LogReader, LogWriter, Record, StoredRecord
from telemetry.log.kafka.reader import KafkaLogReader
from telemetry.log.kafka.writer import KafkaLogWriter
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter

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
