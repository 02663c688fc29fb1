"""Where files of the cold tier lie: a folder, or a bucket that speaks S3. A file is whole under its name or not there.

On S3 an upload that breaks off never becomes an object. In a folder the file is written under a hidden name, synced, renamed, and
the folder is synced.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs

from runtime.errors import ConfigurationError, UnavailableError
from telemetry.archive.cold.layout import ColdDamagedError

_CHUNK: Final = 4 << 20


class Folder:
    """``place``: a path, or ``s3://bucket/prefix?region=...&endpoint_override=...`` (pyarrow.fs; keys from AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY or what else the AWS SDK finds). Raises ConfigurationError for what is neither."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.remote = "://" in place
        try:
            if self.remote:
                if not place.startswith("s3://"):
                    raise ValueError("a path or s3://bucket/prefix is expected")
                self._system, self._base = pafs.FileSystem.from_uri(place)
                if not self._base:
                    raise ValueError("the name of the bucket is missing")
            elif not Path(place).is_absolute():
                raise ValueError("an absolute path is expected: every process reads there")
            else:
                self._system, self._base = pafs.LocalFileSystem(use_mmap=False), str(Path(place))
        except (ValueError, OSError, pa.ArrowException) as error:
            raise ConfigurationError(
                f"GONGCHE_COLD_DIR {place}: {error}",
                hint="a folder (absolute path), or s3://bucket/prefix?region=...",
            ) from error

    def _path(self, file: str) -> str:
        return f"{self._base}/{file}"

    def prepare(self) -> None:
        """Make the folder. Raises ConfigurationError where that cannot be."""
        if self.remote:
            return  # a bucket is made by whoever pays for it
        try:
            Path(self._base).mkdir(parents=True, exist_ok=True, mode=0o750)
        except OSError as error:
            raise ConfigurationError(
                f"GONGCHE_COLD_DIR {self.place}: {error.strerror or error}",
                hint="a folder that this user may write",
            ) from error

    @contextmanager
    def create(self, file: str) -> Iterator[Any]:
        """A new file to write to. When the context ends it is there, whole and durable; where it is left by an error it is not.
        Raises UnavailableError for a disk that is full or a store that does not answer."""
        try:
            if self.remote:
                with self._upload(file) as sink:
                    yield sink
                return
            final = Path(self._path(file))
            scratch = final.with_name(f".{file}.part")
            try:
                # Only the owner and the group may read where vehicles were.
                with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb") as sink:
                    yield sink
                    sink.flush()
                    os.fsync(sink.fileno())
                scratch.rename(final)
                self._sync()
            except BaseException:
                scratch.unlink(missing_ok=True)
                raise
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise UnavailableError(
                f"writing {file} to {self.place}: {error.strerror or error}",
                hint="冷存储磁盘已满：腾出空间或扩容，程序会自动重试，数据库中的定位未删除 · the disk of GONGCHE_COLD_DIR is full: make"
                " room; it is tried again by itself, and nothing was dropped from PostgreSQL"
                if full
                else "is the store there and writable? nothing was dropped from PostgreSQL",
            ) from error

    @contextmanager
    def _upload(self, file: str) -> Iterator[Any]:
        sink = self._system.open_output_stream(self._path(file))
        try:
            yield sink
        except BaseException:
            # Whoever forgets the stream makes an object of what there is, sometime: rather now, and it is removed.
            with suppress(OSError, pa.ArrowException):
                sink.close()
                self._system.delete_file(self._path(file))
            raise
        sink.close()

    def _sync(self) -> None:
        held = os.open(self._base, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(held)
        finally:
            os.close(held)

    @contextmanager
    def open(self, file: str) -> Iterator[Any]:
        """The file, to be read at any place. Raises ColdDamagedError where it is not there or is not what was written, also while it
        is read; UnavailableError where the store does not answer."""
        try:
            with self._system.open_input_file(self._path(file)) as source:
                yield source
        except FileNotFoundError as error:
            raise ColdDamagedError(file, f"it is not in {self.place}") from error
        except (OSError, ValueError, pa.ArrowException) as error:
            self._ask(file, error)
            raise ColdDamagedError(file, str(error).splitlines()[0] if str(error) else repr(error)) from error

    def _ask(self, file: str, error: Exception) -> None:
        """Raise UnavailableError where it is the store that fails and not the file."""
        if isinstance(error, PermissionError):
            raise UnavailableError(
                f"reading {file}: {error}", hint="may this user read GONGCHE_COLD_DIR?"
            ) from error
        if not self.remote:
            return
        try:
            self._system.get_file_info(self._path(file))
        except (OSError, pa.ArrowException):
            raise UnavailableError(
                f"the cold storage {self.place} does not answer: {error}",
                hint="is the S3 server up, and are the keys right?",
            ) from error

    def sha256(self, file: str) -> tuple[int, bytes]:
        """Bytes of the file, and the SHA-256 of all of it. Raises as ``open``."""
        found, size = hashlib.sha256(), 0
        with self.open(file) as source:
            while chunk := source.read(_CHUNK):
                found.update(chunk)
                size += len(chunk)
        return size, found.digest()

    def remove(self, file: str) -> None:
        """Remove the file, and what a killed process left of it; nothing happens where it is not there. Raises UnavailableError."""
        try:
            if not self.remote:
                Path(self._base, f".{file}.part").unlink(missing_ok=True)
            if self._system.get_file_info(self._path(file)).type != pafs.FileType.NotFound:
                self._system.delete_file(self._path(file))
        except (OSError, pa.ArrowException) as error:
            raise UnavailableError(
                f"removing {file} from {self.place}: {error}", hint="tried again by itself"
            ) from error
