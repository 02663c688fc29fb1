"""What an error of PostgreSQL means to people: the server is gone, or it lives and takes no writing now. In Chinese, then
English."""

from __future__ import annotations

from typing import Final

import asyncpg

READ_ONLY: Final = (
    "数据库当前只读，不能写入（常见原因：磁盘已满被锁定、连接到备用库、管理员设置）"
    " / the database is read-only now: its disk is full and it was locked, or it is a standby, or somebody set it so"
)
READ_ONLY_HINT: Final = (
    "请数据库管理员解除只读（default_transaction_read_only、磁盘空间、主备切换），解除后自动恢复，无需重启"
    " / have it made writable again; no restart is needed after that"
)
DISK_FULL: Final = "数据库磁盘已满 / the disk of the database is full"
DISK_FULL_HINT: Final = (
    "请清理或扩容数据库磁盘，之后自动恢复 / free or add disk space; no restart is needed after that"
)
GONE: Final = "PostgreSQL 不再应答 / PostgreSQL does not answer any more"
GONE_HINT: Final = "is the server running, with disk to spare? then try again"


def is_read_only(error: BaseException | None) -> bool:
    """Whether ``error``, or what it came from, says that the database is read-only now. Its sessions may keep that as their
    default: what came before the database is writable again is not used any more (``Pool.expire_connections``)."""
    return _among(error, asyncpg.ReadOnlySQLTransactionError)


def takes_no_writes(error: BaseException | None) -> str | None:
    """Why the database takes no writes now, when ``error`` (or what it came from) says that; None when it says something
    else. It is no fault of what was to be written: all of it can be tried again later."""
    if is_read_only(error):
        return READ_ONLY
    return DISK_FULL if _among(error, asyncpg.DiskFullError) else None


def cause(error: BaseException) -> str:
    """One sentence on why the database fails, for logs and probes."""
    return takes_no_writes(error) or f"{GONE} ({str(error) or type(error).__name__})"


def hint(error: BaseException) -> str:
    """What to do about it."""
    if is_read_only(error):
        return READ_ONLY_HINT
    return DISK_FULL_HINT if takes_no_writes(error) else GONE_HINT


def _among(error: BaseException | None, kind: type[BaseException]) -> bool:
    for _ in range(10):  # errors that came from each other
        if error is None:
            return False
        if isinstance(error, kind):
            return True
        error = error.__cause__
    return False
