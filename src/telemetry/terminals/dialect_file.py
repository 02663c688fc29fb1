"""The office's own dialects of terminals, in a file (GONGCHE_TERMINAL_DIALECTS): what a make does otherwise than JT/T 808 says.

::

    [[dialect]]
    label = "某厂 X1 早期固件"
    manufacturers = ["70111"]      # as the terminal names it when it registers
    models = ["X1"]                # how its model begins; one of the two may be left out
    shift_s = 28800                # it writes UTC as GMT+8
    datum = "gcj02"                # it sends GCJ-02 for WGS-84
    odometer_unit_m = 1000         # item 0x01 in whole kilometres
    fuel_unit_ml = 1000            # item 0x02 in whole litres; 0: the item is something else
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from runtime.errors import ConfigurationError
from telemetry.jt808.tables.dialects import DIALECTS, Deviation, Dialect

MOST_BYTES: Final = 1 << 20
MOST_DIALECTS: Final = 500
_SETTING: Final = "GONGCHE_TERMINAL_DIALECTS"
_Name = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    label: _Name
    manufacturers: list[_Name] = Field(default=[], max_length=100)
    models: list[_Name] = Field(default=[], max_length=1000)
    shift_s: int | None = Field(None, ge=-3_155_760_000, le=3_155_760_000, strict=True)
    datum: Literal["wgs84", "gcj02", "bd09"] | None = None
    odometer_unit_m: int | None = Field(None, ge=0, le=100_000, strict=True)
    fuel_unit_ml: int | None = Field(None, ge=0, le=100_000, strict=True)

    @model_validator(mode="after")
    def _whose(self) -> Self:
        if not self.manufacturers and not self.models:
            raise ValueError("须写明厂家或型号 · name manufacturers or models")
        if self.deviation.nothing:
            raise ValueError("没有写明与标准的差异 · says nothing that is otherwise than the standard")
        return self

    @property
    def deviation(self) -> Deviation:
        return Deviation(self.shift_s, self.datum, self.odometer_unit_m, self.fuel_unit_ml)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    dialect: list[_Entry] = Field(default=[], max_length=MOST_DIALECTS)

    @model_validator(mode="after")
    def _once(self) -> Self:
        labels = [one.label for one in self.dialect]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"名称重复 · the same label twice: {twice[0]}")
        return self


def read_dialects(path: Path) -> tuple[Dialect, ...]:
    """The dialects of the file, those of the program behind them: of several that a terminal speaks the first counts. Raises
    ConfigurationError."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise _refused(path, f"more than {MOST_BYTES >> 20} MiB")
        entries = _File.model_validate(tomllib.loads(text.decode("utf-8"))).dialect
    except OSError as error:
        raise _refused(path, error.strerror or type(error).__name__) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refused(path, str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _refused(path, f"{where}: {first['msg']}".removeprefix(": ")) from error
    own = tuple(
        Dialect(one.label, {}, frozenset(one.manufacturers), tuple(one.models), one.deviation)
        for one in entries
    )
    return own + DIALECTS


def _refused(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"终端方言表无法使用 / the table of dialects {path} cannot be used: {why}", hint=f"see {_SETTING}"
    )
