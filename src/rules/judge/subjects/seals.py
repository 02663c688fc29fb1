"""Gatherer ``seals``: sealed vehicles that move (``sealed``). Key: vehicle and the start of the seal.

The worker finds a movement in the batch that shows it (``rules.live.sealed``). Here the same is judged when a seal is entered afterwards,
when what an alert rests on changes, and once more when the seal is over and its positions are in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from registry.changes import LOOK_BACK_US
from registry.orders import spans_of_orders
from registry.parameters import ORDER, TRACK
from registry.seals import SealInfo, seals_between, seals_by_start, seals_since
from rules.alerts.publish import evaluations_of
from rules.checks import sealed
from rules.checks.base import Outcome
from rules.judge.context import Change, Context, Verdicts, gone, judgement, of_kind, wait
from rules.judge.tracks import terminal_spans
from rules.live import sealed as live
from rules.live.store.states import watermarks
from rules.stored_tracks import Want
from runtime.units import US_PER_S

RULE: Final = sealed.RULE
_HOUR_US: Final = 3600 * US_PER_S
#: So long a seal that is over waits for a track that does not come.
_WAIT_US: Final = LOOK_BACK_US


def key_of(vehicle: str, from_us: int) -> str:
    """The key of a vehicle's seal."""
    return f"{vehicle}|{from_us}"


def _start_of(key: str) -> tuple[str, int]:
    vehicle, _, since = key.rpartition("|")
    return vehicle, int(since)


class Seals:
    """See the module docstring and ``rules.judge.context.Gatherer``."""

    name = "seals"
    rules: tuple[str, ...] = (RULE,)

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """Seals that the changes touch. One that was judged and found to stand is judged again when it is over."""
        written = await seals_since(context.conn, [(c.subject, c.from_us) for c in of_kind(changes, "seal")])
        standing = await evaluations_of(context.conn, RULE, [sealed.subject(*start) for start in written])
        found = {}
        for start, seal in written.items():
            before = standing.get(sealed.subject(*start))
            again = before is None or before.outcome == "suspected"
            found[key_of(*start)] = max(context.now_us, seal.from_us) if again else self._over(context, seal)
        touched = [(c.subject, c.from_us) for c in of_kind(changes, "track", "vehicle")]
        orders = [c.subject for c in of_kind(changes, "order", "order_times")]
        touched += [(vehicle, since) for vehicle, since, _ in await spans_of_orders(context.conn, orders)]
        seals = await seals_since(context.conn, touched)
        settings = [c.from_us for c in of_kind(changes, "parameter") if c.subject in (RULE, TRACK, ORDER)]
        if settings:
            seals |= await seals_between(
                context.conn, max(min(settings), context.now_us - LOOK_BACK_US), context.now_us
            )
        found |= {
            key_of(*start): context.now_us for start, seal in seals.items() if seal.from_us <= context.now_us
        }
        return found

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        """The seals that ended."""
        ended = await seals_between(context.conn, from_us + 1, until_us + 1, ending=True)
        return {key_of(*start): self._over(context, seal) for start, seal in ended.items()}

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Nothing takes long here."""

    async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
        """The seals that begin in [from, to)."""
        return sorted(key_of(*start) for start in await seals_between(context.conn, from_us, to_us))

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """See ``Gatherer.judge``."""
        verdicts = Verdicts()
        known = await seals_by_start(context.conn, [_start_of(key) for key in keys])
        missing = [sealed.subject(*_start_of(key)) for key in sorted(keys) if _start_of(key) not in known]
        for before in (await evaluations_of(context.conn, RULE, missing)).values():
            verdicts.judgements.append(gone(context, RULE, sealed.VERSION, before))
        seals = [known[start] for start in sorted(known)]

        async def spans_of(wants: Sequence[Want]) -> list[list[Want]]:
            return await terminal_spans(context, wants)

        source = live.Source(context.conn, context.archive, context.parameters, spans_of)
        until = {
            (s.vehicle.id, s.from_us): context.now_us + 1
            if s.to_us is None
            else min(s.to_us, context.now_us + 1)
            for s in seals
        }
        marks = await watermarks(context.conn, [seal.vehicle.no for seal in seals])
        for seal, (evidence, made, backfill) in zip(
            seals, await live.look(source, seals, until), strict=True
        ):
            no = seal.vehicle.no
            alert = live.alert_of(seal, made) if made.outcome is Outcome.SUSPECTED else None
            verdicts.judgements.append(judgement(context, made, evidence, alert, no, backfill=backfill))
            self._put_off(context, seal, marks, verdicts)
        return verdicts

    def _put_off(
        self, context: Context, seal: SealInfo, marks: Mapping[int, int], verdicts: Verdicts
    ) -> None:
        """Judge a seal that is over again until its positions are in."""
        no, end = seal.vehicle.no, seal.to_us
        if end is None or context.now_us < end or marks[no] >= end or context.now_us >= end + _WAIT_US:
            return
        why = "封存期间的定位可能尚未到齐 · positions of the seal may still come"
        verdicts.later[key_of(seal.vehicle.id, seal.from_us)] = wait(context, end, why, no, marks[no])

    @staticmethod
    def _over(context: Context, seal: SealInfo) -> int:
        """When a seal is judged for the last time: when it is over and what was sent by then has come."""
        if seal.to_us is None:
            return max(context.now_us, seal.from_us)
        hours = context.resolve(RULE, seal.vehicle.organisation, seal.from_us)["settle_after_h"]
        return max(context.now_us, seal.to_us + hours * _HOUR_US)
