"""What a card pays for besides fuel: goods and services that are no fill. Pure.

The rules that count fills rest on it: another reading is another version of those rules.
"""

from __future__ import annotations

import re
from typing import Final

from registry.spelling import name_key

#: Urea solution, oils, washing, the shop of the station, parts, and fees (not those of charging: they are paid with it).
_GOODS: Final = re.compile(
    "非油|便利店|洗车|润滑|机油|齿轮油|变速箱油|制动液|刹车油|尿素|adblue|尾气处理液|玻璃水|清洗剂|清洁剂|添加剂|燃油宝|防冻液|冷却液"
    "|商品(?!油)|用品|超市|礼品|礼盒|购物卡|食品|饮料|饮用水|矿泉水|纯净水|可乐|红牛|咖啡|牛奶|茶叶|啤酒|白酒|烟酒|酒水|香烟|卷烟|水果|零食|面包"
    "|泡面|方便面|火腿肠|盒饭|快餐|餐饮|餐费|住宿|大米|粮油|食用油|花生油|菜籽油|大豆油|日用|百货|纸巾|毛巾|手套|香水|坐垫|脚垫|充电(宝|器|线)"
    "|雨刮|雨刷|轮胎|补胎|充气|打气|滤芯|滤清器|电瓶|蓄电池|火花塞|刹车片|打蜡|美容|贴膜|维修|修理|保养|年检"
    "|(停车|过桥|过路|路桥|通行|高速|手续|工本|救援|拖车|检测|代办|管理|保管|工时|材料|会员|年|保险)费|(?<!充电)服务费|罚款|滞纳金"
)
#: 92 号汽油（赠玻璃水） and 95#（赠矿泉水） are fuel, 柴油机油 is none.
_FUEL: Final = re.compile(
    r"^(89|9[02-8]|-?(0|5|10|20|35|50))[#号](?!玻璃|机油|洗|尿素|添加)"
    r"|^[^(]*?((汽油|柴油)(?!机|发动机|尾气|添加|清)|乙醇|天然气|cng|lng|lpg|液化气|石油气|甲醇)"
)


def is_goods(product: str) -> bool:
    """Whether what was bought (油品 as written) is no fuel. Without a word about it, it is fuel."""
    text = name_key(product)
    return bool(_GOODS.search(text)) and not _FUEL.search(text)
