"""The papers of a case as PDF: one, and all that there are, for its bundle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from api.documents.drawing import picture_of
from api.documents.papers import MOST_PICTURES, PAPER_NAMES, Known, PaperKind, paper_of, pictured, units_of
from api.errors import Problem
from office.documents.papers import OrderPaper, render_form, render_order
from office.documents.picture import Picture
from office.documents.typesetting import Typesetter
from office.supervision import cases
from office.supervision.cases import Thread
from registry.organisations import names_of
from rules.alerts.feed import evidence_of
from rules.alerts.model import Evidence
from runtime.connection import Connection

#: (alert, version, its evidence): what is drawn on a 督办单.
Drawn = tuple[str, int, Evidence]


def set_paper(
    setter: Typesetter, kind: PaperKind, thread: Thread, known: Known, drawn: Sequence[Drawn]
) -> bytes:
    """The PDF, with the pictures of ``drawn``. Raises Problem 409 where the case has none of this kind (yet)."""
    pictures: dict[str, Picture] = {}
    for alert, version, held in drawn:
        if len(pictures) == MOST_PICTURES:
            break
        shown = picture_of(alert, version, held.sha256, held.body)
        if shown is not None:
            pictures[alert] = shown
    paper = paper_of(kind, thread, replace(known, pictures=pictures))
    return render_order(setter, paper) if isinstance(paper, OrderPaper) else render_form(setter, paper)


async def known_of(connection: Connection, thread: Thread, issuer: str) -> Known:
    """What the papers of a case need besides its thread. ``issuer``: the office."""
    return Known(issuer, await names_of(connection, units_of(thread)), await cases.load_clocks(connection))


async def drawn_of(connection: Connection, thread: Thread) -> list[Drawn]:
    """What the alerts of the case were judged on when it was drafted."""
    found = []
    for alert, version in pictured(thread):
        held = await evidence_of(connection, alert, version)
        if held is not None:
            found.append((alert, version, held))
    return found


async def papers_of_case(
    connection: Connection, case: str, issuer: str, setter: Typesetter
) -> dict[str, bytes]:
    """Every paper that the case has, by file name; none of one that is not issued. The same case gives the same bytes."""
    thread = await cases.read_thread(connection, case)
    if thread is None or thread.case.number is None:
        return {}
    known, drawn = await known_of(connection, thread, issuer), await drawn_of(connection, thread)

    def work() -> dict[str, bytes]:
        found = {}
        for kind in PaperKind:
            try:
                found[f"{PAPER_NAMES[kind]}.pdf"] = set_paper(
                    setter, kind, thread, known, drawn if kind is PaperKind.ORDER else ()
                )
            except Problem as problem:
                if problem.status_code != 409:
                    raise
        return found

    return await asyncio.to_thread(work)
