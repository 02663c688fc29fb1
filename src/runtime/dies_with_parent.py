"""Runs a program that ends with its parent: ``python -m runtime.dies_with_parent <parent's pid> <program> <words...>``.

A program that is not ours does not watch the supervisor's link (``runtime.lifecycle``); without this it would
outlive a supervisor that was killed, and keep its port. Linux (prctl(2), PR_SET_PDEATHSIG, which execve(2) keeps).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main(words: list[str]) -> None:
    """Become the program. Raises OSError when that cannot be."""
    parent, *command = words
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != int(parent):  # it was gone before we asked
        return
    os.execv(command[0], command)  # noqa: S606 - what the supervisor was told to run


if __name__ == "__main__":
    main(sys.argv[1:])
