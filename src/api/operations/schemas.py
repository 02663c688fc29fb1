"""Answers of /v1/operations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

Column = Annotated[
    list[float | None],
    Field(description="a value for each step; null: not known, the process was away or slow to answer"),
]


class FigureShown(BaseModel):
    """What a column is. `rate`: a second, on average over the step; `level`: how it stood; `quantile`: of what came in the step.
    `all_together`: how the columns of several processes become that of `total`."""

    name: str
    zh: str
    en: str
    unit: str
    of: Literal["rate", "level", "quantile"]
    all_together: Literal["sum", "max", "min", "merged"]


class ProcessSeries(BaseModel):
    """A process: `instance` is its host and port. `starts`: when it was started within the window. It has the columns of its own
    figures only. `rejects`: refused a second, by reason."""

    process: str
    instance: str
    version: str
    starts: list[datetime]
    columns: dict[str, Column]
    rejects: dict[str, Column]


class TotalSeries(BaseModel):
    """All processes together, of those that are known at a step."""

    columns: dict[str, Column]
    rejects: dict[str, Column]


class OperationsSeries(BaseModel):
    """Figures of the last day. The value at place i of a column is that of the `step` seconds from `from` + i x `step` on."""

    from_: datetime = Field(alias="from")
    to: datetime
    step: int
    points: int
    figures: list[FigureShown]
    processes: list[ProcessSeries]
    total: TotalSeries


class ProcessState(BaseModel):
    """A process as it last said. `state`: `running`; `stopped`: it was told to; `silent`: it says nothing, and nobody knows why;
    `replaced`: the same, and another of its kind began since. `cpu`: cores in use."""

    process: str
    instance: str
    version: str
    state: Literal["running", "stopped", "silent", "replaced"]
    started_at: datetime
    last_sample_at: datetime
    age_s: float
    memory_bytes: float | None
    cpu: float | None
    disk_free_bytes: float | None
    disk_size_bytes: float | None
    lag_seconds: float | None
    connections: float | None


class AlarmShown(BaseModel):
    """An alarm that stands, named as in deploy/prometheus/alerts.yml. `process`, `instance`: whose it is; null: of all together.
    `value`: what was found. `runbook`: its section of docs/operations.md."""

    name: str
    severity: Literal["critical", "warning"]
    process: str | None
    instance: str | None
    value: float
    zh: str
    en: str
    runbook: str


class OperationsState(BaseModel):
    """How the processes are now. `versions`: of the programs that run, several only while they are being replaced; `schema`: that the
    API expects of the database. `checked`: the alarms that were looked at."""

    at: datetime
    versions: list[str]
    schema_version: int = Field(alias="schema")
    processes: list[ProcessState]
    alarms: list[AlarmShown]
    checked: list[str]
    grafana: str | None = Field(
        description="address of Grafana, where the operators have one; null: none is set"
    )
