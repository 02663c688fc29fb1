"""Alerts by the state of their case: what may be asked, and what somebody may see of it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Request
from pydantic import AfterValidator

from api.auth.scoped import subject_of
from api.errors import Problem
from office.supervision.actors import sees_drafts
from office.supervision.contents import Finding
from office.supervision.states import INNER, State

READ = "cases:read"
STATES: Final = ("none", *(state.value for state in State))
FINDINGS: Final = ("none", *(finding.value for finding in Finding))


def _one_of(values: tuple[str, ...]) -> Any:
    def check(value: str) -> str:
        if value not in values:
            raise ValueError(f"应为 {'、'.join(values)} 之一 · must be one of these")
        return value

    return AfterValidator(check)


CaseStateAsked = Annotated[str, _one_of(STATES)]
FindingAsked = Annotated[str, _one_of(FINDINGS)]


def asked_states(request: Request, wanted: str) -> tuple[str, ...]:
    """The stored states that ``wanted`` means for the subject: a unit does not learn that a draft is about it. Raises Problem 403 for
    who sees no cases."""
    subject = subject_of(request)
    if not subject.may(READ):
        raise Problem(
            403,
            "missing-scope",
            f"按督办状态筛选须有权限 {READ}（读取督办） · the filter case_state needs the permission {READ}",
        )
    if sees_drafts(subject, "alerts:read"):
        return (wanted,)
    hidden = {str(state) for state in INNER}
    if wanted in hidden:
        return ("-",)  # no alert has it
    return ("none", *sorted(hidden)) if wanted == "none" else (wanted,)
