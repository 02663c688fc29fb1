"""Frozen evidence: canonical JSON bytes and their hashes: SHA-256, and SM3 (GB/T 32905, 国密).

Evidence holds integers (1e-6 degree, microseconds, millimetres), strings, booleans, null, lists and objects;
never a float, whose text could differ between writers. Keys are sorted, there is no white space, the encoding
is UTF-8: the same evidence is always the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict, cast

import numpy as np
import orjson

from runtime.arrays import AnyArray, Ints
from runtime.errors import GongcheError

#: Columns of a track in evidence, all integers.
TRACK_COLUMNS = ("t_us", "fingerprint", "lat_e6", "lon_e6", "speed_dkmh", "direction_deg", "odometer_dkm")


#: Columns that tracks may have since version 2 of the rules. ``acc``: what the fix says about ACC, 0 = nothing, 1 = off, 2 = on.
#: ``valid``: 1 = a valid fix, as it was known from the whole track (``rules.tracks.cleaning``); without it a check finds that
#: out from what it has. ``term``: where several terminals sat in the vehicle then, the number of the one that the fix is of;
#: else 0.
ACC_COLUMN, VALID_COLUMN, TERM_COLUMN = "acc", "valid", "term"
OPTIONAL_COLUMNS = (ACC_COLUMN, VALID_COLUMN, TERM_COLUMN)


class Track(TypedDict):
    """Columns of a track in evidence, of one length; ``odometer_dkm`` -1 = absent."""

    t_us: list[int]
    fingerprint: list[int]
    lat_e6: list[int]
    lon_e6: list[int]
    speed_dkmh: list[int]
    direction_deg: list[int]
    odometer_dkm: list[int]
    acc: NotRequired[list[int]]
    valid: NotRequired[list[int]]
    term: NotRequired[list[int]]


class EvidenceError(ValueError):
    """Not something that may be frozen, or not evidence of the rule that was asked."""


class UnknownVersionError(EvidenceError):
    """Evidence of a version of a rule, or with a state of a version of the kernel, that this program does not have."""


def require(evidence: Mapping[str, object], rule: str, version: int) -> None:
    """Raises EvidenceError when ``evidence`` is not that of this rule in this version."""
    if (evidence.get("rule"), evidence.get("rule_version")) != (rule, version):
        raise EvidenceError(f"not evidence of {rule} {version}")


def canonical(evidence: Mapping[str, object]) -> bytes:
    """The bytes of ``evidence``. Raises EvidenceError for a float or anything that is not JSON."""
    _refuse_floats(evidence)
    try:
        return orjson.dumps(evidence, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise EvidenceError(str(error)) from error


def digest(body: bytes) -> bytes:
    """SHA-256 of canonical bytes."""
    return hashlib.sha256(body).digest()


def digests(body: bytes) -> tuple[bytes, bytes]:
    """SHA-256 and SM3 of canonical bytes, 32 bytes each. Raises GongcheError where the OpenSSL of this Python has no
    SM3."""
    try:
        sm3 = hashlib.new("sm3", body)
    except ValueError as error:
        raise GongcheError(
            "本机 OpenSSL 不支持国密 SM3 · the OpenSSL of this Python has no SM3",
            hint="install a Python built with OpenSSL 1.1.1 or newer that includes SM3 (not FIPS-only)",
        ) from error
    return digest(body), sm3.digest()


def parse(body: bytes) -> Any:
    """The evidence of canonical bytes, an object: the ``Evidence`` of the rule and version that it names. Raises
    EvidenceError."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise EvidenceError(str(error)) from error
    if not isinstance(value, dict):
        raise EvidenceError("not an object")
    return value


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise EvidenceError("a float in evidence")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list) and not all(type(item) is int for item in value):
        for item in value:
            _refuse_floats(item)


def track_columns(track: Mapping[str, object]) -> dict[str, Ints]:
    """Columns of a track in evidence as int64 arrays of one length; the optional ones only where it has them. Raises
    EvidenceError."""
    try:
        columns = {name: np.array(track[name], np.int64) for name in _names(track)}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise EvidenceError(f"track: {error!r}") from error
    if len({c.shape for c in columns.values()}) != 1 or columns["t_us"].ndim != 1:
        raise EvidenceError("track: columns of different lengths")
    return columns


def freeze_track(columns: Mapping[str, AnyArray]) -> Track:
    """Columns named as TRACK_COLUMNS, and optional ones where they are given, as lists for evidence; ``odometer_dkm`` is -1
    where absent."""
    return cast(Track, {name: columns[name].astype(np.int64).tolist() for name in _names(columns)})


def _names(track: Mapping[str, object]) -> list[str]:
    return [*TRACK_COLUMNS, *(name for name in OPTIONAL_COLUMNS if name in track)]


def acc_of(columns: Mapping[str, Ints]) -> Ints:
    """Column ``acc`` of a track; zeros where it has none."""
    return _or_zero(columns, ACC_COLUMN)


def term_of(columns: Mapping[str, Ints]) -> Ints:
    """Column ``term`` of a track; zeros where it has none."""
    return _or_zero(columns, TERM_COLUMN)


def _or_zero(columns: Mapping[str, Ints], name: str) -> Ints:
    found = columns.get(name)
    return np.zeros(len(columns["t_us"]), np.int64) if found is None else found
