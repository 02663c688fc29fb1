"""One step of a case, by somebody: rights, state, version, and everything that follows from the step, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from office.supervision import cases
from office.supervision.actors import ANSWERS, Actor, Sight, persons_for, sight
from office.supervision.cases import Clocks, Entry, Thread, china_today
from office.supervision.complaints import case_part
from office.supervision.contents import CaseClose, CaseCommand, CaseContents, CaseEdit, CaseGrant, plain
from office.supervision.deadlines import Deadlines
from office.supervision.facts import alerts_by_id, complete
from office.supervision.findings import drop_tasks, write_findings
from office.supervision.messages import tell
from office.supervision.problems import (
    NotAllowedError,
    NotNowError,
    OwnMatterError,
    StaleError,
    TakenError,
)
from office.supervision.states import (
    INNER,
    OFFICE,
    OVER,
    Act,
    Case,
    Event,
    State,
    Step,
    advance,
    refusal,
    row_of,
)
from office.supervision.words import Refusal
from registry.organisations import names_of, organisation_exists, units_above
from runtime.connection import Connection
from runtime.errors import InvalidError, NotThereError

#: Steps that change no state, and that somebody could take for ever.
_AT_WILL: Final = frozenset({Step.NOTE, Step.ATTACH, Step.EDIT, Step.REPLY, Step.REMIND, Step.RECTIFIED})
#: What a unit that helps (协办单位) may do: say and hand in what it knows. The reply is the responsible unit's.
_OF_HELPERS: Final = frozenset({Step.NOTE, Step.ATTACH})
#: Nobody gives a term that is longer.
_LONGEST: Final = timedelta(days=366)
#: Refusals that are about who asks; the others are about when.
_ABOUT_WHO: Final = frozenset({Refusal.OWN_DRAFT, Refusal.OWN_REPLY, Refusal.OWN_UNIT, Refusal.OWN_OFFICE, Refusal.NO_PERSON})  # fmt: skip


def no_such_case(id: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(f"没有这份督办单，或不在您的范围内 · no such case, or it is not yours to see: {id}")


async def seen(connection: Connection, actor: Actor, id: str, *, lock: bool = False) -> tuple[Thread, Sight]:
    """A case, and what its reader sees of all cases. Raises NotThereError for one that is not his to see."""
    thread = await cases.read_thread(connection, id, lock=lock)
    sees = await sight(connection, actor.subject)
    if thread is None or not sees.sees(
        thread.case.organisation, thread.case.helpers, issued=thread.case.number is not None
    ):
        raise no_such_case(id)
    return thread, sees


async def draft(connection: Connection, actor: Actor, given: CaseContents) -> str:
    """A new case; its id. In the caller's transaction, which is begun again when others got in its way."""
    now = await cases.now_of(connection)
    body = await complete(connection, given)
    hats = await persons_for(connection, actor, body["organisation"], "cases:draft")
    await _refuse_foreign_alerts(connection, actor, body)
    await _refuse_taken(connection, body)
    _check_day(body.get("due_on"), china_today(now), "/due_on")
    if given.complaint is not None:
        body["hotline"] = await case_part(connection, actor, given.complaint)
    event = Event(1, Step.DRAFT, now, hats[0], body)
    clocks = await cases.load_clocks(connection)
    id = await cases.begin_case(connection, _entry(actor, event, internal=True), clocks)
    await cases.link(connection, id, body)
    return id


async def step(connection: Connection, actor: Actor, id: str, what: Step, command: CaseCommand) -> Case:
    """Take a step; the case after it. In the caller's transaction.

    Raises NotThereError, NotAllowedError, OwnMatterError, NotNowError, StaleError, TakenError, InvalidError; then nothing was written."""
    thread = await _held(connection, actor, id, what)
    case = thread.case
    if command.version != case.version:
        raise StaleError(case.version, case.state)
    now = await cases.now_of(connection)
    clocks, today = await cases.load_clocks(connection), china_today(now)
    found = clocks.deadlines(case, today)
    persons = await allowed(connection, actor, case, what, found, today)
    body = await _body(connection, actor, thread, what, command, clocks, now)
    internal = what in (Step.EDIT, Step.SUBMIT, Step.RETURN, Step.STANDS) or bool(
        getattr(command, "internal", False)
    )
    event = Event(case.version + 1, what, now, persons, body)
    after = advance(case, event)
    await cases.append(connection, id, after, _entry(actor, event, internal=internal), clocks)
    await _follow(connection, actor, thread, after, event, command)
    return after


async def allowed(
    connection: Connection, actor: Actor, case: Case, what: Step, found: Deadlines, today: date
) -> frozenset[str]:
    """Whose act ``what`` would be. Raises what keeps ``actor`` from it."""
    row = row_of(case.state, what)
    if row is None or not row.permissions:
        raise NotNowError(Refusal.NOT_NOW, case.version, case.state)
    try:
        hats = await persons_for(connection, actor, case.organisation, *row.permissions)
    except NotAllowedError:
        helping = await helping_unit(connection, actor, case)
        if what not in _OF_HELPERS or helping is None:
            raise
        hats = actor.subject.hats(tuple(ANSWERS), await units_above(connection, helping))
    return _first_allowed(actor, case, what, found, today, hats)


async def helping_unit(connection: Connection, actor: Actor, case: Case) -> str | None:
    """The unit for which ``actor`` helps in the case; None: it acts for the unit of the case or for the office, or for nobody."""
    if case.number is None or case.version >= cases.MAX_EVENTS // 2:  # the rest is for those whose case it is
        return None
    if actor.subject.hats((*OFFICE, *ANSWERS), await units_above(connection, case.organisation)):
        return None
    for unit in case.helpers:
        if actor.subject.hats(tuple(ANSWERS), await units_above(connection, unit)):
            return unit
    return None


def _first_allowed(
    actor: Actor, case: Case, what: Step, found: Deadlines, today: date, hats: Sequence[frozenset[str]]
) -> frozenset[str]:
    refused: list[Refusal] = []
    for persons in hats:
        act = Act(
            persons,
            actor.human,
            today,
            refuse_by=None if found.refuse is None else found.refuse.day,
            ask_by=None if found.ask is None else found.ask.day,
            reopen_by=found.reopen_by,
        )
        why = refusal(case, what, act)
        if why is None:
            return persons
        refused.append(why)
    error = OwnMatterError if refused[0] in _ABOUT_WHO else NotNowError
    raise error(refused[0], case.version, case.state)  # what keeps the own rights from it


def possible(
    actor: Actor,
    case: Case,
    found: Deadlines,
    today: date,
    above: frozenset[str],
    helping: frozenset[str] = frozenset(),
) -> list[tuple[Step, Refusal | None]]:
    """The steps for which ``actor`` has the permission in this state, each with what keeps it from it. ``above``: the unit of
    the case and those above it; ``helping``: the same of the unit for which it helps."""
    steps: list[tuple[Step, Refusal | None]] = []
    for what in Step:
        row = row_of(case.state, what)
        if row is None or not row.permissions:
            continue
        hats = actor.subject.hats(row.permissions, above)
        if not hats and what in _OF_HELPERS:
            hats = actor.subject.hats(tuple(ANSWERS), helping)
        if not hats:
            continue
        try:
            _first_allowed(actor, case, what, found, today, hats)
            steps.append((what, None))
        except (OwnMatterError, NotNowError) as error:
            steps.append((what, Refusal(error.code)))
    return steps


async def _held(connection: Connection, actor: Actor, id: str, what: Step) -> Thread:
    thread, _ = await seen(connection, actor, id, lock=True)
    if what in _AT_WILL and thread.case.version >= cases.MAX_EVENTS:
        raise InvalidError(
            "", "本单的办理记录过多，只能继续办结 · too many entries: bring the case to its end"
        )
    return thread


async def _body(
    connection: Connection, actor: Actor, thread: Thread, what: Step, command: CaseCommand, clocks: Clocks, now: datetime
) -> dict[str, Any]:  # fmt: skip
    """What the event keeps: what was sent, and what follows from it."""
    case, today = thread.case, china_today(now)
    body = plain(command)
    if isinstance(command, CaseEdit):
        body = await complete(connection, command.contents)
        await persons_for(connection, actor, body["organisation"], "cases:draft")
        await _refuse_foreign_alerts(connection, actor, body)
        await _refuse_taken(connection, body, thread.id)
        if command.contents.complaint is not None:
            body["hotline"] = await case_part(connection, actor, command.contents.complaint)
        _check_day(body.get("due_on"), today, "/contents/due_on")
    elif what is Step.SUBMIT:
        _refuse_incomplete(case)
    elif what is Step.ISSUE:
        _refuse_incomplete(case)  # it may have been submitted before this was asked for
        await _refuse_withdrawn(connection, case)
        given = case.contents.get("due_on")
        _check_published(clocks, given, "/due_on", working=False)  # the paper may name a Saturday
        _check_day(given, today, "/due_on")
        body["number"] = await cases.take_number(connection, case.organisation, today.year)
        body["unit_name"] = await _name_of(connection, case.organisation)
    elif what is Step.ASK_EXTENSION:
        _check_extension(clocks, case, body["due_on"], today)
    elif isinstance(command, CaseGrant):
        body = await _grant(connection, actor, case, command, clocks, today)
    elif what is Step.REOPEN:
        _check_published(clocks, body.get("due_on"), "/due_on")
        _check_day(body.get("due_on"), today, "/due_on")
        await _refuse_taken(connection, case.contents, thread.id)
    elif what is Step.CLOSE:
        _check_day(body.get("measures_due"), today, "/measures_due")
    elif what is Step.NOTE:  # of which side it is, for it may be internal
        above = await units_above(connection, case.organisation)
        helping = await helping_unit(connection, actor, case)
        body["side"] = (
            "office" if actor.subject.hats(OFFICE, above) else "unit" if helping is None else "helper"
        )
        if helping is not None:
            body["unit"] = helping
    return body


def _refuse_incomplete(case: Case) -> None:
    """What a 督办单 must name before it is signed: on what it rests, and whose conduct it is about."""
    if not case.contents.get("basis"):
        raise InvalidError("/basis", "督办单须写明依据（办法条款、文号），请修改拟稿后再送签 · the order must name its basis (clauses, numbers of documents): edit the draft, then submit it")  # fmt: skip
    if not case.contents.get("person"):
        raise InvalidError("/person", "督办单须写明被督办人，请修改拟稿后再送签 · the order must name the person it is about: edit the draft, then submit it")  # fmt: skip


async def _name_of(connection: Connection, unit: str) -> str:
    """What the unit is called when it gets the case. Papers keep it, whatever it is called later."""
    return (await names_of(connection, [unit])).get(unit, unit)


async def _grant(
    connection: Connection, actor: Actor, case: Case, command: CaseGrant, clocks: Clocks, today: date
) -> dict[str, Any]:  # fmt: skip
    body = plain(command)
    if case.state is State.REFUSED:
        unit = command.organisation
        if unit is None or unit == case.organisation:
            raise InvalidError("/organisation", "同意退件须指定另一责任单位；不再办理请撤销 · name another unit, or cancel the case")  # fmt: skip
        if command.due_on is not None:
            raise InvalidError(
                "/due_on", "改派按原时限重新计算，不填日期 · the term begins again by itself; leave it out"
            )
        if not await organisation_exists(connection, unit):
            raise InvalidError("/organisation", f"单位 {unit} 未登记 · no such unit: {unit}")
        await persons_for(connection, actor, unit, "cases:issue")
        return body | {"unit_name": await _name_of(connection, unit)}
    if command.organisation is not None:
        raise InvalidError("/organisation", "同意延期不改派单位 · an extension does not change the unit")
    day = command.due_on or case.asked_until or today
    body["due_on"] = day.isoformat()
    _check_extension(clocks, case, body["due_on"], today)
    return body


def _check_extension(clocks: Clocks, case: Case, given: str, today: date) -> None:
    """The new day must be later than the term, and known."""
    _check_published(clocks, given, "/due_on")
    _check_day(given, today, "/due_on")
    due = clocks.deadlines(case, today).due
    if due is not None and due.day is not None and date.fromisoformat(given) <= due.day:
        raise InvalidError(
            "/due_on", f"延期日期须晚于原期限 {due.day} · must be later than {due.day}, when the term ends"
        )


def _check_day(given: str | None, today: date, pointer: str) -> None:
    """A day that people give as a term: after today, within a year."""
    if given is None:
        return
    day = date.fromisoformat(given)
    if day <= today:
        raise InvalidError(pointer, f"期限须在今天（{today}）之后 · must be after today ({today})")
    if day > today + _LONGEST:
        raise InvalidError(pointer, "期限不得超过一年 · not more than a year ahead")


def _check_published(clocks: Clocks, given: str | None, pointer: str, *, working: bool = True) -> None:
    """A term ends on a day of which it is known whether it is worked, and one that we give on a working day."""
    if given is None:
        return
    worked = clocks.calendar.workday(date.fromisoformat(given))
    if worked is None:
        raise InvalidError(pointer, f"{given} 的工作日安排尚未公布，请选已公布的日期，或先登记日历日 · nobody has published whether {given} is worked; choose another day or enter it in the calendar")  # fmt: skip
    if working and not worked:
        raise InvalidError(pointer, f"{given} 不是工作日，请选工作日 · {given} is no working day; choose one")


async def _refuse_withdrawn(connection: Connection, case: Case) -> None:
    for alert in await alerts_by_id(connection, case.contents.get("alerts", ())):
        if alert.status == "withdrawn":
            raise InvalidError("/alerts", f"预警 {alert.id} 已撤销，请退回修改或撤销本单 · alert {alert.id} was withdrawn; return or cancel the draft")  # fmt: skip


async def _refuse_taken(connection: Connection, body: Mapping[str, Any], but: str = "") -> None:
    taken = await cases.in_open_cases(connection, body.get("alerts", ()), but)
    if taken:
        raise TakenError(*taken[0])


async def _refuse_foreign_alerts(connection: Connection, actor: Actor, body: Mapping[str, Any]) -> None:
    """Alerts of units of which the drafter may not draft are not there for him."""
    for alert in await alerts_by_id(connection, body.get("alerts", ())):
        if alert.organisation != body["organisation"]:
            try:
                await persons_for(connection, actor, alert.organisation, "cases:draft")
            except NotAllowedError:
                raise NotThereError(f"没有这条预警 · no such alert: {alert.id}") from None


async def _follow(
    connection: Connection, actor: Actor, thread: Thread, after: Case, event: Event, command: CaseCommand
) -> None:
    """What a step does besides its event."""
    if event.step is Step.EDIT:
        await cases.link(connection, thread.id, event.body)
    elif (thread.case.state in OVER) != (after.state in OVER):
        await cases.set_links_open(connection, thread.id, after.state)
    if isinstance(command, CaseClose):
        await write_findings(connection, thread.id, after, event, actor.person)
    elif event.step is Step.REOPEN:
        await drop_tasks(connection, thread.id, event, actor.person)
    if event.step in (Step.REOPEN, Step.STANDS):
        await cases.end_doubt(connection, thread.id)
    if after.state not in INNER or event.step in (Step.SUBMIT, Step.RETURN):
        await tell(connection, thread.id, thread.case, after, event)


async def by_itself(
    connection: Connection, thread: Thread, what: Step, body: Mapping[str, Any], now: datetime, clocks: Clocks
) -> Thread:
    """A step of the program's own. The caller holds the row."""
    event = Event(thread.case.version + 1, what, now, frozenset(), body)
    after = advance(thread.case, event)
    entry = Entry(event, "系统 / the program", internal=what in (Step.ALERT_WITHDRAWN, Step.ALERT_CHANGED))
    await cases.append(connection, thread.id, after, entry, clocks)
    await tell(connection, thread.id, thread.case, after, event)
    return replace(thread, case=after, entries=(*thread.entries, entry))


async def enclose(connection: Connection, actor: Actor, id: str, what: Step, body: Mapping[str, Any]) -> Case:
    """A step that changes no state and fits every version: a file. In the caller's transaction."""
    thread = await _held(connection, actor, id, what)
    now = await cases.now_of(connection)
    clocks, today = await cases.load_clocks(connection), china_today(now)
    persons = await allowed(connection, actor, thread.case, what, clocks.deadlines(thread.case, today), today)
    helping = await helping_unit(connection, actor, thread.case)
    if helping is not None:
        body = {**body, "side": "helper", "unit": helping}
    event = Event(thread.case.version + 1, what, now, persons, body)
    after = advance(thread.case, event)
    await cases.append(connection, id, after, _entry(actor, event, internal=False), clocks)
    return after


def _entry(actor: Actor, event: Event, *, internal: bool) -> Entry:
    return Entry(event, actor.subject.name, actor.person, actor.address, actor.device, internal)
