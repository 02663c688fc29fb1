"""Why a step is refused, in words: what is wrong and what to do. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Refusal(StrEnum):
    """The codes; ``SAID`` has their sentences."""

    NOT_NOW = "not-now"
    NO_PERSON = "no-person"
    OWN_DRAFT = "own-draft"
    OWN_REPLY = "own-reply"
    OWN_UNIT = "own-unit"
    OWN_OFFICE = "own-office"
    NO_REPLY = "no-reply"
    SECOND_EXTENSION = "second-extension"
    TOO_LATE_TO_REFUSE = "too-late-to-refuse"
    TOO_LATE_TO_ASK = "too-late-to-ask"
    TOO_LATE_TO_REOPEN = "too-late-to-reopen"
    NOTHING_TO_RECTIFY = "nothing-to-rectify"
    NOT_RECTIFIED = "not-rectified"
    NOTHING_TO_DECIDE = "nothing-to-decide"


#: Chinese, then English.
SAID: Final[dict[Refusal, str]] = {
    Refusal.NOT_NOW: "督办单现在的状态不能这样办理，请重新打开后再办 · this step is not possible in the present state; open the case again",
    Refusal.NO_PERSON: "此步骤须由本人登录办理，程序不能代办 · a person must take this step, not a program; log in yourself",
    Refusal.OWN_DRAFT: "拟稿人不得签发自己的督办单，请另一位负责人签发 · who drafted the order cannot issue it; another head must",
    Refusal.OWN_REPLY: "回复须由起草人以外的单位负责人签批 · another person than who wrote the reply must sign it",
    Refusal.OWN_UNIT: (
        "您（或委托您的人）已代表单位办理过此单，不能再代表管理处审核，请交其他人办理 · you, or who delegated the right, acted for the unit"
        " in this case and cannot judge it; let somebody else do it"
    ),
    Refusal.OWN_OFFICE: (
        "您（或委托您的人）已代表管理处办理过此单，不能再代表单位答复，请交其他人办理 · you, or who delegated the right, acted for the office"
        " in this case and cannot answer it; let somebody else do it"
    ),
    Refusal.NO_REPLY: "还没有待签批的回复，请先拟写回复 · there is no reply to be signed; write it first",
    Refusal.SECOND_EXTENSION: "延期只能申请一次 · more time can be asked for once only",
    Refusal.TOO_LATE_TO_REFUSE: "已过退件期限，请签收后办理，情况写入回复 · too late to send it back; sign for it and say so in the reply",
    Refusal.TOO_LATE_TO_ASK: "延期须在到期前提出，现已过期限 · more time must be asked for before the term ends; that time has passed",
    Refusal.NOTHING_TO_RECTIFY: "本单没有待报送的整改：结论不要求整改，或已报送 · there are no measures to report: none were asked for, or they are reported already",
    Refusal.NOT_RECTIFIED: "没有待验收的整改，请等单位报送 · there is no report of measures to be looked at; wait for the unit",
    Refusal.NOTHING_TO_DECIDE: "核销后预警没有变动，无须维持结论 · no alert of this case has changed since it was closed; there is nothing to decide",
    Refusal.TOO_LATE_TO_REOPEN: "核销已满期限，不能重新办理，请另立督办单 · closed too long ago; draft a new order",
}
