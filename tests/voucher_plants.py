"""Made-up months of costs and the vouchers of a finance system that has booked them, with defects that are planted and known. For tests, and for the measurement."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

from office.costs.money import yuan
from office.costs.reconciling.items import months_later
from office.costs.reconciling.outcome import Item, Outcome
from office.costs.reconciling.voucher import VoucherLine

UNITS: Final = ("jsj", "wsj", "jyj", "slj")
SINCE: Final = "202603"
UNTIL: Final = "202605"
_PERIODS: Final = ("202603", "202604", "202605")
_RUNNING: Final = frozenset({"30231"})
_OF_STATEMENTS: Final = frozenset({"30231", "30239", "30214"})
#: How people write the number of a statement.
_STYLES: Final = ("付用车费{}", "支付{}结算款", "{}", "公务出行 {} 费用")


@dataclass
class Plants:
    """``defects``: outcome of each item (by its id) and voucher (by its number) that is not as it should be."""

    items: list[Item] = field(default_factory=list)
    vouchers: list[VoucherLine] = field(default_factory=list)
    defects: dict[str, Outcome] = field(default_factory=dict)
    _count: int = 0

    def entry(self, unit: str, vendor: str, fen: int, period: str, day: int, invoice: str = "") -> Item:
        self._count += 1
        id = f"FY-{self._count:032d}"
        references = (id, invoice) if invoice else (id,)
        made = Item(
            "entry",
            id,
            unit,
            id,
            references,
            (vendor,),
            fen,
            period,
            period,
            _day(period, day),
            _RUNNING,
            due=True,
        )
        self.items.append(made)
        return made

    def voucher(
        self, unit: str, summary: str, fen: int, period: str, day: int, counterpart: str = "", code: str = "30231", account: str = "5001"
    ) -> VoucherLine:  # fmt: skip
        number = f"记-{len(self.vouchers):06d}"
        made = VoucherLine(
            len(self.vouchers) + 2, unit, period, _day(period, day), number, "1", summary, account, code, fen, 0, counterpart, ""
        )  # fmt: skip
        self.vouchers.append(made)
        return made

    def change(self, place: int, **changes: object) -> VoucherLine:
        self.vouchers[place] = replace(self.vouchers[place], **changes)  # type: ignore[arg-type]
        return self.vouchers[place]


def _day(period: str, day: int) -> date:
    return date(int(period[:4]), int(period[4:]), day)


def planted(size: int, defects: int, seed: int = 7) -> Plants:
    """About ``size`` vouchers of cost, ``defects`` (a multiple of five) of them or of what they pay wrong, as many of each kind."""
    random_ = random.Random(seed)
    made = Plants()
    # (item, place of its voucher) of those that are one and one, and say which they are.
    named: list[tuple[Item, int]] = []
    alone: list[tuple[Item, int]] = []
    for k in range(size):
        unit, period, day = UNITS[k % 4], _PERIODS[k // 4 % 3], 1 + k % 27
        vendor, fen = f"{'城东城西城南'[k % 3 * 2 :][:2]}加油站{k // 40}", random_.randrange(10_000, 80_000)
        kind = k % 20
        if kind < 2:
            named.append(_statement(made, random_, unit, period, k))
        elif kind < 9:
            item = made.entry(unit, vendor, fen, period, day, f"26{k:018d}")
            made.voucher(
                unit, f"报销车辆费用 发票{item.references[1]}", fen, period, min(day + 1, 28), vendor
            )
            named.append((item, len(made.vouchers) - 1))
        elif kind < 17:
            item = made.entry(unit, f"{vendor}甲{k}", fen, period, day)
            counterpart = "" if kind == 9 else f"{vendor}甲{k}"
            made.voucher(
                unit, f"支付{vendor}甲{k}款" if kind == 9 else "车辆运行费", fen, period, 28, counterpart
            )
            alone.append((item, len(made.vouchers) - 1))
        elif kind < 18:
            parts = [
                made.entry(unit, f"月结单位{k}", random_.randrange(20_011, 60_000), period, 1 + 5 * n)
                for n in range(2 + k // 20 % 5)
            ]
            made.voucher(unit, "月结", sum(part.amount_fen for part in parts), period, 28, f"月结单位{k}")
        elif kind < 19:
            # The car wash, every week the same sum; and a booking that was taken back.
            made.entry(unit, "好又快洗车行", 5_000, period, day)
            made.voucher(unit, "洗车", 5_000, period, day, "好又快洗车行")
            made.voucher(unit, "错记", 12_300 + k, period, day, f"误记单位{k}")
            made.voucher(unit, "红字冲销", -12_300 - k, period, 28, f"误记单位{k}")
        else:
            # What is none of ours: other costs, and the bank's side, with the same words.
            made.voucher(unit, "办公用品", fen, period, day, vendor, "30201")
            _, place = named[-1]
            paid = made.vouchers[place]
            made.voucher(
                paid.organisation,
                paid.summary,
                -paid.amount_fen,
                paid.period,
                paid.day.day,
                paid.counterpart,
                "",
                "1002",
            )
    _plant(made, random_, named, alone, defects // 5)
    return made


def _statement(made: Plants, random_: random.Random, unit: str, period: str, k: int) -> tuple[Item, int]:
    number, fen = f"结〔2026〕{period[4:]}-pool{k}-{unit}-01号", random_.randrange(100_000, 900_000)
    settled = _day(period, 28) + timedelta(days=9)
    last = months_later(period, 1)
    item = Item(
        "statement", f"JS-{period}-{k:012X}", unit, number, (f"JS-{period}-{k:012X}", number), (f"平台{k}", f"pool{k}"), fen, period, last, settled,
        _OF_STATEMENTS, due=True,
    )  # fmt: skip
    made.items.append(item)
    written = number.replace("〔", "[").replace("〕", "]") if k % 3 == 0 else number
    made.voucher(
        unit, _STYLES[k % 4].format(written), fen, last if last <= UNTIL else period, 15, f"平台{k}", "30239"
    )
    return item, len(made.vouchers) - 1


def _plant(
    made: Plants, random_: random.Random, named: list[tuple[Item, int]], alone: list[tuple[Item, int]], each: int
) -> None:  # fmt: skip
    of_entries = [pair for pair in named if pair[0].kind == "entry"]
    chosen = random_.sample(of_entries, 3 * each)
    others = random_.sample(alone, 2 * each)
    gone: list[int] = []
    for k in range(each):
        item, place = others[k] if k % 2 else chosen[k]
        gone.append(place)
        made.defects[item.id] = Outcome.PLATFORM_ONLY
    for item, place in chosen[each : 2 * each]:
        line = made.change(place, debit_fen=item.amount_fen + random_.choice((-900, 900, 1, 100_000)))
        made.defects |= {item.id: Outcome.AMOUNT, line.voucher: Outcome.AMOUNT}
    for k, (item, place) in enumerate(chosen[2 * each :]):
        line = made.change(place, budget_class="30201" if k % 2 else "30214")
        made.defects |= {item.id: Outcome.SUBJECT, line.voucher: Outcome.SUBJECT}
    for item, place in others[each:]:
        # Booked in the month before or after: near enough to be found by counterpart and amount.
        shift = -1 if item.period == UNTIL else 1
        period = months_later(item.period, shift)
        line = made.change(place, period=period, day=_day(period, 20 if shift < 0 else 2))
        made.change(place, day=line.day)
        made.items[made.items.index(item)] = replace(item, day=_day(item.period, 20 if shift > 0 else 5))
        made.defects |= {item.id: Outcome.PERIOD, line.voucher: Outcome.PERIOD}
    for k in range(each):
        period = _PERIODS[k % 3]
        line = made.voucher(UNITS[k % 4], "加油", 33_331 + 7 * k, period, 9, f"城东加油站{k}")
        made.defects[line.voucher] = Outcome.FINANCE_ONLY
    for place in sorted(gone, reverse=True):
        del made.vouchers[place]


def as_csv(vouchers: list[VoucherLine]) -> str:
    """The vouchers as a finance system exports them, with a row of totals behind each month's."""
    rows = [
        "单位,会计期间,凭证日期,凭证号,分录号,摘要,科目编号,部门经济分类,借方金额（元）,贷方金额（元）,往来单位"
    ]
    for line in vouchers:
        debit, credit = (yuan(line.debit_fen), "") if line.account == "5001" else ("", yuan(-line.debit_fen))
        rows.append(
            f"{line.organisation},{line.period},{line.day},{line.voucher},{line.line},{line.summary},{line.account},{line.budget_class},{debit},{credit},{line.counterpart}"
        )
    total = yuan(sum(line.debit_fen for line in vouchers if line.account == "5001"))
    return "\n".join([*rows, f"合计,,,,,,,,{total},{total},", ""])


def as_xml(vouchers: list[VoucherLine], encoding: str = "UTF-8") -> bytes:
    """The same as XML, each voucher with its line."""
    rows = [f'<?xml version="1.0" encoding="{encoding}"?>', "<会计核算>"]
    for line in vouchers:
        debit, credit = (line.debit_fen, 0) if line.account == "5001" else (0, -line.debit_fen)
        rows.append(
            f"<凭证><单位>{line.organisation}</单位><会计期间号>{int(line.period[4:])}</会计期间号><会计年度>{line.period[:4]}</会计年度>"
            f"<记账凭证日期>{line.day:%Y%m%d}</记账凭证日期><记账凭证编号>{line.voucher}</记账凭证编号><分录><记账凭证行号>1</记账凭证行号>"
            f"<记账凭证摘要>{line.summary}</记账凭证摘要><科目编号>{line.account}</科目编号><部门经济分类编码>{line.budget_class}</部门经济分类编码>"
            f"<借方金额>{yuan(debit)}</借方金额><贷方金额>{yuan(credit)}</贷方金额><往来单位>{line.counterpart}</往来单位></分录></凭证>"
        )
    return "\n".join([*rows, "</会计核算>"]).encode("gb18030" if encoding == "GBK" else "utf-8")
