"""What is declined here, as errors: each says in Chinese and English what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable

from office.supervision.states import STATE_NAMES, State
from office.supervision.words import SAID, Refusal
from runtime.errors import DeclinedError, InvalidError


class NotAllowedError(DeclinedError):
    """The caller has not the right in this unit."""

    status = 403

    def __init__(self, unit: str, permissions: Iterable[str]) -> None:
        needed = " / ".join(permissions)
        super().__init__(
            "missing-permission",
            f"您在单位 {unit} 没有权限 {needed}，请由有权限的人员办理 · you lack {needed} in unit {unit}; ask somebody who has it",
        )


class OwnMatterError(DeclinedError):
    """Somebody would decide on what he did himself."""

    status = 403

    def __init__(self, refusal: Refusal, version: int, state: State) -> None:
        super().__init__(str(refusal), SAID[refusal], more={"version": version, "state": state})


class NotNowError(DeclinedError):
    """Not in this state, or not any more."""

    def __init__(self, refusal: Refusal, version: int, state: State) -> None:
        super().__init__(
            str(refusal),
            f"{SAID[refusal]}（{STATE_NAMES[state]} {state}）",
            more={"version": version, "state": state},
        )


class StaleError(DeclinedError):
    """The caller saw another version."""

    def __init__(self, version: int, state: State) -> None:
        super().__init__(
            "stale-version",
            f"督办单已有新的办理，现为第 {version} 版（{STATE_NAMES[state]}），请重新打开后再办"
            f" · the case has moved on: it is at version {version} ({state}); read it again",
            more={"version": version, "state": state},
        )


class TakenError(DeclinedError):
    """An alert is in another open case."""

    def __init__(self, alert: str, case: str, number: str | None) -> None:
        named = number or case
        super().__init__(
            "alert-in-a-case",
            f"预警 {alert} 已在未办结的督办单 {named} 中，请在该单内办理 · alert {alert} is in the open case {named}; go on there",
        )


class PaperError(InvalidError):
    """A file that is not taken."""

    def __init__(self, message: str) -> None:
        super().__init__("", message)
