"""From the thread of a case to its papers. Pure: ``Known`` holds what was looked up.

A paper is of the moment at which its step was taken: what happened later does not change it, but for a cancellation, which is
said on it. Only what the unit sees of the case is on a paper, whoever asks: no internal remark, no complaint, no caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Final

from api.documents.rendering import not_yet
from office.documents.numbers import figures
from office.documents.papers import Alarm, FormPaper, Letter, OrderPaper, Term
from office.documents.picture import Picture
from office.documents.typesetting import chinese_day
from office.supervision.cases import Clocks, Entry, Thread
from office.supervision.contents import FINDING_NAMES, Cause, Explanation, Finding, Source
from office.supervision.deadlines import Due
from office.supervision.states import Case, State, Step, advance, begin, fold
from rules.catalogue import RULE_NAMES
from runtime.units import CHINA

#: Alerts on a 督办单, and pictures among them. The others are counted.
MOST_ALARMS: Final = 10
MOST_PICTURES: Final = 4
_CHECKED: Final = {"ledger": "台账", "track": "轨迹", "card": "油卡", "talk": "谈话", "site": "现场"}
_SOURCES: Final = {
    Source.ALERT: "预警", Source.HOTLINE: "12345诉求", Source.COMMISSION: "纪委交办", Source.SPOT_CHECK: "抽查",
    Source.JOINT: "联合督查", Source.LATE_PAPER: "逾期补单", Source.SEALED: "封存期间移动",
}  # fmt: skip
_EXPLAINED: Final = {
    Explanation.YARD: "场内挪车", Explanation.WASH: "洗车", Explanation.REPAIR: "维修", Explanation.INSPECTION: "年检",
    Explanation.DETOUR: "绕行", Explanation.CHANGE_NOT_ENTERED: "变更未登记", Explanation.DRIFT: "定位漂移",
}  # fmt: skip
_CAUSES: Final = {
    Cause.FENCE: "围栏", Cause.STATION: "加油站", Cause.TERMINAL: "终端", Cause.PAPERWORK: "单据", Cause.FEED: "外部数据",
}  # fmt: skip
_CALLED_BACK: Final = {"satisfied": "满意", "dissatisfied": "不满意", "not_reached": "未联系上"}


class PaperKind(StrEnum):
    """The papers of a case."""

    ORDER = "order"  # 督办单
    REPLY = "reply"  # 回复单
    REMINDER = "reminder"  # 催办通知书
    EXTENSION = "extension"  # 延期审批单
    CLOSING = "closing"  # 核销单


PAPER_NAMES: Final = {
    PaperKind.ORDER: "督办单",
    PaperKind.REPLY: "回复单",
    PaperKind.REMINDER: "催办通知书",
    PaperKind.EXTENSION: "延期审批单",
    PaperKind.CLOSING: "核销单",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What was looked up for a paper. ``issuer``: the office; ``units``: id -> name; ``pictures``: alert -> picture."""

    issuer: str
    units: Mapping[str, str]
    clocks: Clocks
    pictures: Mapping[str, Picture] = field(default_factory=dict)


def paper_of(kind: PaperKind, thread: Thread, known: Known) -> OrderPaper | FormPaper:
    """The paper. Raises Problem 409 where the case has none of this kind (yet)."""
    if thread.case.number is None:
        raise not_yet("督办单尚未签发，没有文书 · the case is not issued: it has no papers yet")
    return _MAKERS[kind](thread, known)


def units_of(thread: Thread) -> set[str]:
    """The units whose names its papers give: every reader reaches them. Others are given by their ids, for one reader would
    see a name where another does not, and a paper is the same for all."""
    return {thread.case.organisation}


def pictured(thread: Thread) -> list[tuple[str, int]]:
    """(alert, version) of the alerts whose evidence is drawn on the 督办单."""
    shown = thread.case.contents.get("figures", ())[:MOST_ALARMS]
    return [(figure["id"], figure["version"]) for figure in shown]


def _order(thread: Thread, known: Known) -> OrderPaper:
    handed = _handed(thread)
    case = _case_at(thread, handed)
    event, contents = thread.entries[handed].event, case.contents
    issued = next(e for e in reversed(thread.entries[: handed + 1]) if e.event.step is Step.ISSUE)
    drawn = contents.get("figures", ())
    shown = drawn[:MOST_ALARMS]
    return OrderPaper(
        letter=_letter(thread, known, thread.entries[handed], _titled(contents["title"]), copies=contents.get("helpers", ())),
        to=_unit(thread, known, handed),
        facts=contents["facts"],
        about=tuple(_about(contents)),
        alarms=tuple(_alarm(figure, known) for figure in shown),
        left_out=len(drawn) - len(shown),
        basis=tuple(contents.get("basis", ())),
        requirements=contents.get("requirements", "请核实情况，书面回复并附相关凭证。"),
        term=_term(case, known.clocks, event.day),
        issued_by=issued.actor_name,
        issued_at=issued.event.at,
    )  # fmt: skip


def _about(contents: Mapping[str, Any]) -> list[tuple[str, str]]:
    plates = list(dict.fromkeys(f["plate"] for f in contents.get("figures", ()) if f.get("plate")))
    orders = contents.get("orders", ())
    listed = "、".join(orders[:10]) + (f" 等 {len(orders)} 张" if len(orders) > 10 else "")
    rows = [
        ("来源", _SOURCES.get(contents.get("source", ""), "")),
        ("外部编号", contents.get("external_no")),
        ("被督办人", contents.get("person")),
        ("号牌", "、".join(plates)),
        ("车辆", contents.get("vehicle")),
        ("驾驶员", contents.get("driver")),
        ("派车单", listed),
    ]
    return [(name, value) for name, value in rows if value]


def _alarm(figure: Mapping[str, Any], known: Known) -> Alarm:
    return Alarm(
        rule=RULE_NAMES.get(figure["rule"], figure["rule"]),
        plate=figure.get("plate") or "",
        span=_span(figure["occurred_from"], figure["occurred_to"]),
        figures=figures(figure["measures"]),
        evidence=figure["evidence_hash"],
        picture=known.pictures.get(figure["id"]),
    )


def _span(since: str, until: str | None) -> str:
    start = since[:16].replace("T", " ")
    if until is None:
        return f"{start} 起"
    end = until[:16].replace("T", " ")
    return f"{start} 至 {end[11:] if end[:10] == start[:10] else end}"


def _term(case: Case, clocks: Clocks, day: date) -> Term:
    due = clocks.deadlines(case, day).due or Due(None)
    terms = clocks.terms(case)
    counted = None
    if not case.contents.get("due_on") and not case.contents.get("hotline"):
        counted = terms["urgent_wd" if case.contents.get("level") == "urgent" else "general_wd"]
    return Term(due.day, due.unknown, counted)


def _reply(thread: Thread, known: Known) -> FormPaper:
    signed = _last(thread, Step.SIGN_REPLY)
    if signed is None:
        raise not_yet("还没有签批的回复 · there is no signed reply yet")
    written = _last(thread, Step.REPLY, signed)
    if written is None:
        raise not_yet("还没有签批的回复 · there is no signed reply yet")
    entry, body = thread.entries[signed], thread.entries[written].event.body
    case = _case_at(thread, signed)
    why = "、".join(_EXPLAINED.get(e, e) for e in body.get("explanations", ()))
    # Those of the unit: nobody acts for both sides in a case.
    since = thread.entries[_handed(thread) : signed]
    own = [
        e.event
        for e in since
        if e.event.step is Step.ATTACH
        and e.event.persons.isdisjoint(case.of_office)
        and e.event.body.get("side") != "helper"
    ]
    files = [event.body["name"] for event in own]
    sections = [
        ("核查方式", "、".join(_CHECKED.get(way, way) for way in body["checked"]) + "。"),
        ("核查情况和事实认定", body["text"]),
        ("原因", "\n".join(text for text in (f"{why}。" if why else "", body.get("cause") or "") if text)),
        ("整改和问责", body.get("measures") or ""),
        ("附件", "\n".join(f"{k}. {name}" for k, name in enumerate(files, 1))),
    ]
    return FormPaper(
        letter=_letter(thread, known, entry, f"关于{thread.case.number}的回复", issuer=_unit(thread, known, signed)),
        to=known.issuer,
        opening=("现将办理情况回复如下。",),
        sections=tuple(sections),
        acts=(
            ("起草人", thread.entries[written].actor_name, thread.entries[written].event.at),
            ("单位负责人签批", entry.actor_name, entry.event.at),
            ("单位公章", "", None),
            ("管理处审核", "", None),
        ),
    )  # fmt: skip


def _reminder(thread: Thread, known: Known) -> FormPaper:
    place = _last(thread, Step.REMIND)
    if place is None:
        raise not_yet("没有催办过 · the unit has not been reminded")
    entry, case = thread.entries[place], _case_at(thread, place)
    day = entry.event.day
    found = known.clocks.deadlines(case, day)
    due = found.due or Due(None)
    if due.day is None:
        state = f"办理时限{Term(None, due.unknown).words()}。"
    elif day > due.day:
        late = "" if found.overdue_wd is None else f" {found.overdue_wd} 个工作日"
        state = f"办理时限为{chinese_day(due.day)}，现已逾期{late}。"
    else:
        state = f"办理时限为{chinese_day(due.day)}，距到期还有 {(due.day - day).days} 天。"
    opening = [
        f"你单位承办的{case.number}督办单（{_titled(case.contents['title'])}），{state}至今未收到经签批的回复。",
        "请抓紧核实办理，按时书面回复；确需延期的，须在到期前提出申请。逾期情况计入考核，并可列入通报。",
    ]
    note = entry.event.body.get("note")
    return FormPaper(
        letter=_letter(thread, known, entry, f"第{case.reminders}次催办通知书"),
        to=_unit(thread, known, place),
        opening=tuple(opening),
        sections=(("说明", note),) if note else (),
        acts=(("催办人", "系统按期限自动催办" if not entry.actor else entry.actor_name, entry.event.at), ("签收人", "", None)),
    )  # fmt: skip


def _extension(thread: Thread, known: Known) -> FormPaper:
    asked = _last(thread, Step.ASK_EXTENSION)
    if asked is None:
        raise not_yet("没有申请过延期 · no extension was asked for")
    entry = thread.entries[asked]
    case = _case_at(thread, asked)
    answered = next((e for e in thread.entries[asked:] if e.event.step in (Step.GRANT, Step.DENY)), None)
    unit, body = _unit(thread, known, asked), entry.event.body
    first = known.clocks.deadlines(case, entry.event.day).due or Due(None)
    sections = [
        ("原办理时限", Term(first.day, first.unknown).words() + "。"),
        ("申请延至", chinese_day(date.fromisoformat(body["due_on"])) + "。"),
        ("延期理由", body["reason"]),
        ("审批意见", _decision(answered)),
    ]
    return FormPaper(
        letter=_letter(thread, known, answered or entry, "延期审批单"),
        to="",
        opening=(f"{unit}就{case.number}督办单申请延期。",),
        sections=tuple(sections),
        acts=(
            ("申请人", entry.actor_name, entry.event.at),
            ("审批人", "" if answered is None else answered.actor_name, None if answered is None else answered.event.at),
        ),
    )  # fmt: skip


def _decision(answered: Entry | None) -> str:
    if answered is None:
        return "待审批。批准以前，原时限照算。"
    reason = answered.event.body.get("reason") or ""
    if answered.event.step is Step.GRANT:
        return f"同意延期至{chinese_day(date.fromisoformat(answered.event.body['due_on']))}。{reason}"
    return f"不同意延期，原时限照算。{reason}"


def _closing(thread: Thread, known: Known) -> FormPaper:
    closed = _last(thread, Step.CLOSE)
    if closed is None or thread.case.state is not State.CLOSED:
        raise not_yet("督办单尚未核销，或已重新办理 · the case is not closed, or was reopened")
    entry = thread.entries[closed]
    case, body = _case_at(thread, closed), entry.event.body
    signed, recheck = _last(thread, Step.SIGN_REPLY, closed), _last(thread, Step.CALLED_BACK, closed)
    reopened = _last(thread, Step.REOPEN, closed)
    if recheck is not None and reopened is not None and recheck < reopened:
        recheck = None  # what the citizen said of the finding that stands no more
    sections = [("结论", FINDING_NAMES[Finding(body["finding"])] + "。"), ("认定依据", body["evidence"])]
    if body.get("responsibility"):
        sections.append(("责任认定", body["responsibility"]))
    if body.get("measures"):
        due = chinese_day(date.fromisoformat(body["measures_due"]))
        sections.append(("整改措施和期限", f"{body['measures']}\n整改期限：{due}。"))
    if body.get("cause"):
        named = f"（{body['subject']}）" if body.get("subject") else ""
        sections.append(("数据问题原因", f"{_CAUSES[Cause(body['cause'])]}{named}。"))
    if recheck is not None:
        said = thread.entries[recheck].event.body
        sections.append(
            ("回访", "。".join([_CALLED_BACK[said["result"]], said.get("note") or ""]).strip("。") + "。")
        )
    acts = [("核销人", entry.actor_name, entry.event.at)]
    if signed is not None:
        acts.insert(0, ("回复签批人", thread.entries[signed].actor_name, thread.entries[signed].event.at))
    return FormPaper(
        letter=_letter(thread, known, entry, "核销单"),
        to=_unit(thread, known, closed),
        opening=(f"你单位承办的{case.number}督办单（{_titled(case.contents['title'])}），经审核予以核销。",),
        sections=tuple(sections),
        acts=tuple(acts),
    )  # fmt: skip


_MAKERS: Final[Mapping[PaperKind, Callable[[Thread, Known], OrderPaper | FormPaper]]] = {
    PaperKind.ORDER: _order,
    PaperKind.REPLY: _reply,
    PaperKind.REMINDER: _reminder,
    PaperKind.EXTENSION: _extension,
    PaperKind.CLOSING: _closing,
}


def _titled(title: str) -> str:
    start = "" if title.startswith("关于") else "关于"
    return f"{start}{title}" if title.endswith("督办单") else f"{start}{title}的督办单"


def _letter(
    thread: Thread, known: Known, entry: Entry, title: str, *, issuer: str | None = None, copies: Sequence[str] = ()
) -> Letter:  # fmt: skip
    case = thread.case
    cancelled = None
    if case.state is State.CANCELLED:
        when = next(e for e in reversed(thread.entries) if e.event.step is Step.CANCEL).event.at
        cancelled = f"本督办单已于{chinese_day(when.astimezone(CHINA).date())}撤销"
    marks = ("紧急",) if case.contents.get("level") == "urgent" else ()
    return Letter(
        issuer=issuer or known.issuer,
        number=case.number or "",
        title=title,
        when=entry.event.at,
        marks=marks,
        cancelled=cancelled,
        copies=tuple(copies),
    )


def _unit(thread: Thread, known: Known, place: int) -> str:
    """What the unit that had the case at ``place`` was called when it got it; as it is called now in threads that do not say."""
    for entry in reversed(thread.entries[: place + 1]):
        if name := entry.event.body.get("unit_name"):
            return str(name)
    unit = _case_at(thread, place).organisation
    return known.units.get(unit, unit)


def _last(thread: Thread, step: Step, before: int | None = None) -> int | None:
    """The place of the newest entry of ``step``, before the place ``before``."""
    places = range(len(thread.entries) if before is None else before)
    return next((k for k in reversed(places) if thread.entries[k].event.step is step), None)


def _handed(thread: Thread) -> int:
    """The place of the entry that handed the case to the unit that has it now: its issue, or a refusal that was granted."""
    found, case = 0, None
    for k, entry in enumerate(thread.entries):
        refused = case is not None and case.state is State.REFUSED
        if entry.event.step is Step.ISSUE or (entry.event.step is Step.GRANT and refused):
            found = k
        case = begin(entry.event) if case is None else advance(case, entry.event)
    return found


def _case_at(thread: Thread, place: int) -> Case:
    """The case as it stood with the entry at ``place``."""
    return fold([entry.event for entry in thread.entries[: place + 1]])
