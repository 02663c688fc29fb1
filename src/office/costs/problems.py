"""What is declined here, as errors: each says in Chinese and English what is wrong and what to do."""

from __future__ import annotations

from office.costs.statement import ABOUT_WHO, REFUSAL_SAYS, STATEMENT_STATES, StatementRefusal, StatementState
from runtime.errors import DeclinedError, NotThereError


def stale(what: str, english: str, version: int) -> DeclinedError:
    """Somebody else was there before."""
    return DeclinedError(
        "stale-version",
        f"{what}已有变动，现为第 {version} 版，请重新打开后再办 · {english} has changed: it is at version {version}; read it again",
        more={"version": version},
    )


class StepRefusedError(DeclinedError):
    """A step of a statement: not by this person (403), or not now (409)."""

    def __init__(self, why: StatementRefusal, version: int, state: StatementState) -> None:
        text = REFUSAL_SAYS[why] if why in ABOUT_WHO else f"{REFUSAL_SAYS[why]}（{STATEMENT_STATES[state]}）"
        super().__init__(str(why), text, more={"version": version, "state": state})
        self.status = 403 if why in ABOUT_WHO else 409


def no_entry(id: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(f"没有这笔费用，或不在您的范围内 · no such entry, or it is not yours to see: {id}")


def no_statement(id: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(
        f"没有这份结算单，或不在您的范围内 · no such statement, or it is not yours to see: {id}"
    )
