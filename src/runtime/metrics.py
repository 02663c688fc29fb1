"""Metrics: what every process shows under ``/metrics``, and how to read it back.

Names are ``gongche_<process>_<what>_<base unit>[_total]``: seconds, bytes, metres. No label ever names a
device, a vehicle or a person: the number of series is bounded by the program, not by the fleet.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST


def program_version() -> str:
    """Version of the installed program; ``0+unknown`` when it is not installed."""
    try:
        return version("gongche")
    except PackageNotFoundError:
        return "0+unknown"


def set_build_info(process: str, registry: CollectorRegistry = REGISTRY) -> None:
    """Expose ``gongche_build_info{process, version} 1``. Once a process and registry."""
    info = Gauge(
        "gongche_build_info", "Which process and version this is", ["process", "version"], registry=registry
    )
    info.labels(process, program_version()).set(1)


class FolderSpace(Collector):
    """Room on the file system of a folder, looked at when somebody asks: ``gongche_data_dir_free_bytes`` (what this
    process may still write) and ``gongche_data_dir_size_bytes``. Nothing while there is no such folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self) -> Iterator[Metric]:
        """Their names, also where there is no folder yet: a part of a registry is chosen by them."""
        for name in ("gongche_data_dir_free_bytes", "gongche_data_dir_size_bytes"):
            yield GaugeMetricFamily(name, "")

    def collect(self) -> Iterator[Metric]:
        """The two gauges."""
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return
        for name, what, blocks in (
            ("gongche_data_dir_free_bytes", "Free on the file system of GONGCHE_DATA_DIR", found.f_bavail),
            ("gongche_data_dir_size_bytes", "Size of the file system of GONGCHE_DATA_DIR", found.f_blocks),
        ):
            yield GaugeMetricFamily(name, what, blocks * found.f_frsize)


def watch_folder(folder: Path, registry: CollectorRegistry = REGISTRY) -> None:
    """Show the room on the file system of ``folder`` (``FolderSpace``). Once a process and registry."""
    registry.register(FolderSpace(folder))


def render(registry: CollectorRegistry = REGISTRY) -> bytes:
    """The registry in the Prometheus text format (``CONTENT_TYPE``)."""
    return generate_latest(registry)


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of ``/metrics``."""

    labels: Mapping[str, str]
    value: float


class Snapshot:
    """``/metrics`` of one process at one moment, by sample name."""

    def __init__(self, samples: Mapping[str, list[Sample]]) -> None:
        self._samples = samples

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """Raises ValueError for a text that is not in the Prometheus format."""
        samples: dict[str, list[Sample]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append(Sample(sample.labels, sample.value))
        return cls(samples)

    def total(self, name: str, **labels: str) -> float | None:
        """Sum of the samples called ``name`` that carry ``labels``; None when there is none."""
        values = [
            s.value
            for s in self._samples.get(name, ())
            if all(s.labels.get(k) == v for k, v in labels.items())
        ]
        return math.fsum(values) if values else None

    def buckets(self, name: str) -> dict[float, float]:
        """Cumulative counts of the histogram ``name`` by upper bound, added over all its label values."""
        counts: dict[float, float] = {}
        for sample in self._samples.get(f"{name}_bucket", ()):
            bound = float(sample.labels["le"])
            counts[bound] = counts.get(bound, 0.0) + sample.value
        return counts


def quantile(
    buckets: Mapping[float, float], q: float, before: Mapping[float, float] | None = None
) -> float | None:
    """The ``q`` quantile of a histogram, by linear interpolation inside its bucket.

    ``buckets`` are cumulative counts by upper bound; with ``before``, only what came since counts. None when
    nothing did; a quantile in the last, open bucket gives that bucket's lower bound.
    """
    before = before or {}
    bounds = sorted(buckets)
    counts = [buckets[b] - before.get(b, 0.0) for b in bounds]
    if not counts or counts[-1] <= 0:
        return None
    rank = q * counts[-1]
    below, start = 0.0, 0.0
    for bound, count in zip(bounds, counts, strict=True):
        if count >= rank and count > below:
            if math.isinf(bound):
                return start
            return start + (bound - start) * (rank - below) / (count - below)
        below, start = count, bound
    return start
