"""How long a reconciliation of 100,000 lines of vouchers takes: reading (XML in GBK), matching, the rows of the result and their hash. Asked: <= 30 s.

Everything is made up (``tests.voucher_plants``): statements, invoices, monthly bills of several entries, reversals, other costs; every 200th voucher, or what
it pays, is wrong. Each planted defect must be found and none invented; what is left for a person is counted. ``--vehicles N``: so many lines.
"""

from __future__ import annotations

import argparse
import time
from typing import Final

from tests.voucher_plants import UNITS, as_xml, planted

from bench.report import heading, table
from office.costs.reconciling.items import Expected
from office.costs.reconciling.mapping import VoucherMapping
from office.costs.reconciling.matching import reconcile
from office.costs.reconciling.outcome import Outcome
from office.costs.reconciling.reading import read_vouchers
from office.costs.reconciling.rows import digest_of, found_rows

LINES: Final = 100_000
#: Lines that are made for each unit of size.
_LINES_EACH: Final = 1.15
_MOST_S: Final = 30


def run(options: argparse.Namespace) -> None:
    """Print the figures."""
    wanted = options.vehicles or LINES
    heading(f"Reconciliation of {wanted:,} lines of vouchers")
    size = int(wanted / _LINES_EACH)
    made = planted(size, size // 200 // 5 * 5)
    data = as_xml(made.vouchers, "GBK")
    mapping = VoucherMapping()
    began, used = time.perf_counter(), time.process_time()
    read = read_vouchers(data, None, mapping, UNITS[0], {unit: unit for unit in UNITS})
    after_reading = time.perf_counter()
    matched, _ = reconcile(read.lines, made.items, mapping)
    after_matching = time.perf_counter()
    rows = found_rows(read.lines, Expected(tuple(made.items), frozenset(), ""), matched)
    digest = digest_of(rows)
    ended, busy = time.perf_counter(), time.process_time() - used
    wrong = {
        row.item or str(row.body["number"]): row.outcome for row in rows if row.outcome is not Outcome.MATCHED
    }
    unclear = {name for name, outcome in wrong.items() if outcome is Outcome.UNDECIDED} - made.defects.keys()
    if {name: outcome for name, outcome in wrong.items() if name not in unclear} != made.defects:
        raise SystemExit("a planted defect was not found, or one was invented")
    rows_shown = [
        ["lines, file", f"{len(read.lines):,}, {len(data) / 1e6:.0f} MB", ""],
        ["all of it", f"{ended - began:.1f} s", f"<= {_MOST_S} s"],
        ["reading", f"{after_reading - began:.1f} s", ""],
        ["matching", f"{after_matching - after_reading:.1f} s", ""],
        ["rows and hash", f"{ended - after_matching:.1f} s", ""],
        ["of the processor", f"{busy:.1f} s", ""],
        ["planted, found, invented", f"{len(made.defects)}, {len(made.defects)}, 0", "all, none"],
        ["for a person", f"{len(unclear)}", ""],
        ["hash of the result", digest[:16], ""],
    ]
    table(["", "measured", "asked"], rows_shown)
