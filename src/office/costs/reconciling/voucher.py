"""A line of a voucher (凭证分录) of the finance system. Pure.

Money is integer 分. A line's amount is debit less credit: what was booked as cost; a reversal (红字) is negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

#: 部门支出经济分类 that vehicles are booked under, and their names (as we remember them: check against the ministry's list).
CLASS_NAMES: Final = {
    "30231": "公务用车运行维护费",
    "30239": "其他交通费用",
    "30214": "租赁费",
}
#: Fields of a line, and what finance systems call them; the likelier first. GB/T 24589 calls them like the longer ones, as far as we know.
FIELDS: Final = {
    "unit": ("单位", "单位名称", "单位编码", "预算单位", "会计主体", "核算单位", "电子账簿编号"),
    "period": ("期间", "会计期间", "会计期间号", "会计月份", "月份"),
    "year": ("会计年度", "年度"),
    "date": ("凭证日期", "记账凭证日期", "制单日期", "日期", "记账日期"),
    "voucher": ("凭证号", "凭证编号", "记账凭证编号", "凭证字号", "凭单号"),
    "line": ("分录号", "记账凭证行号", "行号", "分录序号"),
    "summary": ("摘要", "记账凭证摘要", "分录摘要"),
    "account": ("科目", "科目编号", "科目编码", "科目代码", "会计科目编号", "会计科目"),
    "budget_class": ("部门经济分类", "部门支出经济分类", "部门经济分类编码", "部门支出经济分类编码", "经济分类", "支出经济分类"),
    "debit": ("借方金额", "借方", "借方本币金额", "本币借方金额", "借方发生额"),
    "credit": ("贷方金额", "贷方", "贷方本币金额", "本币贷方金额", "贷方发生额"),
    "counterpart": ("往来单位", "往来单位名称", "往来单位编号", "供应商", "对方单位", "收款人"),
    "attachment": ("附件号", "附件编号", "票据号", "发票号码"),
}  # fmt: skip
#: Without these no line can be compared.
REQUIRED: Final = ("date", "voucher", "summary", "debit")
#: What a row of totals begins with, in its first cell or as its 摘要.
SUM_WORDS: Final = (
    "合计", "小计", "总计", "共计", "本页", "本月合计", "本年累计", "累计", "过次页", "承前页", "期初余额", "期末余额",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class VoucherLine:
    """A line. ``row``: of the file, or the number of its element. ``account``, ``budget_class``, ``counterpart``: "" where the file says nothing."""

    row: int
    organisation: str
    period: str
    day: date
    voucher: str
    line: str
    summary: str
    account: str
    budget_class: str
    debit_fen: int
    credit_fen: int
    counterpart: str
    attachment: str

    @property
    def amount_fen(self) -> int:
        """Debit less credit."""
        return self.debit_fen - self.credit_fen
