"""What a card pays for besides fuel: goods and services that are no fill. Pure.

The rules that count fills rest on it: another reading is another version of those rules.
"""

from __future__ import annotations

import re
from typing import Final

from registry.spelling import name_key

#: Urea solution, oils, washing, the shop of the station.
_GOODS: Final = re.compile(
    "非油|便利店|洗车|润滑|机油|齿轮油|变速箱油|制动液|刹车油|尿素|adblue|尾气处理液|玻璃水|清洗剂|清洁剂|添加剂|燃油宝|防冻液|冷却液"
    "|食品|饮料|香烟|日用|百货|轮胎|停车费|维修|保养|检测费"
)
#: 92 号汽油（赠玻璃水） is fuel, 柴油机油 is none.
_FUEL: Final = re.compile(
    r"^[^(]*?((汽油|柴油)(?!机|发动机|尾气|添加|清)|乙醇|天然气|cng|lng|lpg|液化气|石油气|甲醇)"
)


def is_goods(product: str) -> bool:
    """Whether what was bought (油品 as written) is no fuel. Without a word about it, it is fuel."""
    text = name_key(product)
    return bool(_GOODS.search(text)) and not _FUEL.search(text)
