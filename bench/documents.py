"""PDFs of 督办单 a minute on one core: text, two alerts with their numbers, a picture of a track of 2,000 fixes."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import shapely

from api.alerts.evidence import feature_collection
from bench.report import heading, spread, table
from office.documents.papers import Alarm, Letter, OrderPaper, Term, render_order
from office.documents.picture import draw
from office.documents.typesetting import typesetter
from runtime.units import CHINA

_S = 1_000_000
_FIXES = 2_000


def evidence() -> dict[str, Any]:
    """An episode of ``location``: two hours, a fix every four seconds, out of a fence."""
    start = 1_772_000_000 * _S
    return {
        "rule": "location", "rule_version": 2, "parameters": {"gap_s": 120},
        "fences": [{"fences": [{"id": "f", "version": 1, "name": "机关大院"}], "wkb": shapely.box(120.899, 31.999, 120.9, 32.001).wkb_hex}],
        "track": {
            "t_us": [start + 4 * k * _S for k in range(_FIXES)], "lat_e6": [32_000_000 + (k * 37 % 900) for k in range(_FIXES)],
            "lon_e6": [120_900_000 + 60 * k for k in range(_FIXES)], "speed_dkmh": [(k * 13) % 900 for k in range(_FIXES)],
        },
    }  # fmt: skip


def paper(number: int) -> OrderPaper:
    """The ``number``-th order; each has its own picture, as in life."""
    drawn = draw(feature_collection(f"{number:032x}", 1, "ab" * 32, evidence()))
    figures = (
        ("行驶里程", "12,600 米"),
        ("最远离开围栏", "3,412 米"),
        ("定位点数", "2,000"),
        ("其中中断处直线", "0 米"),
    )
    first = Alarm("定位异常", "苏F12345", "2026-03-01 21:14 至 22:40", figures, "ab" * 32, drawn)
    when = datetime(2026, 3, 2, 9, 30, tzinfo=CHINA)
    return OrderPaper(
        letter=Letter("公务用车管理处", f"督〔2026〕jsj-{number:04}号", "关于夜间用车的督办单", when, ("紧急",)),
        to="市机关事务管理局", facts="苏F12345，2026-03-01 21:14，无派车任务，驶出围栏 3,412 米，行驶 12.6 公里。" * 4,
        about=(("号牌", "苏F12345"), ("被督办人", "张三")), alarms=(first, replace(first, picture=None)), left_out=0,
        basis=("《党政机关公务用车管理办法》",), requirements="请核实情况，书面回复并附相关凭证。", term=Term(date(2026, 3, 9), None, 5),
        issued_by="李四", issued_at=when,
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Print PDFs a minute, from evidence to bytes, and of it the picture alone."""
    heading("督办单 as PDF, one core")
    setter = typesetter()
    began = time.perf_counter()
    first = render_order(setter, paper(0))
    first_s = time.perf_counter() - began
    rates, number = [], 0
    for _ in range(options.runs):
        count, began = 0, time.process_time()
        while time.process_time() - began < options.seconds:
            number += 1
            count += 1
            render_order(setter, paper(number))
        rates.append(60 * count / (time.process_time() - began))
    began = time.process_time()
    for k in range(20):
        draw(feature_collection(f"{k:032x}", 1, "ab" * 32, evidence()))
    drawn_ms = 1000 * (time.process_time() - began) / 20
    rows = [[spread(rates), f"{drawn_ms:.0f}", f"{first_s:.2f}", f"{len(first) / 1024:.0f}"]]
    table(["PDFs a minute of CPU", "of each the picture, ms", "the first one, s", "KiB"], rows)
