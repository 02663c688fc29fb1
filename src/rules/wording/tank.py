"""The words of ``tank`` 加油超箱容."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording.texts import RuleWording, Said, Text, hundredths, kilometres, moment

REASONS: Final[Mapping[str, Text]] = {
    "over_tank": Text("一次加油超过油箱容积", "one fill is more than the tank holds"),
    "over_burnt": Text(
        "与上次加油合计超过油箱容积与其间油耗之和",
        "with the fill before it more than the tank and what was burnt in between",
    ),
    "fits": Text("加油量不超过油箱容积", "it fits into the tank"),
    "burnt": Text("其间行驶的油耗足以解释", "what was burnt in between explains it"),
    "tank_unknown": Text(
        "车辆油箱容积未登记或明显有误，请在车辆档案中补正",
        "the tank of the vehicle is not registered, or plainly wrong: put it right in the register",
    ),
    "no_quantity": Text("交易没有数量", "the transaction has no quantity"),
    "posting_time": Text(
        "只有入账时间，不知其间行驶多少", "only the booking is known: what was driven in between is not"
    ),
    "no_track": Text("两次加油之间没有可用定位", "no usable position between the two fills"),
    "gaps": Text(
        "两次加油之间定位中断、又没有里程表，可能行驶过",
        "positions are missing in between, and there is no odometer: it may have driven",
    ),
    "gone": Text(
        "加油、绑定或车辆已更改，该笔不再是该车一次加油的第一笔",
        "transactions, binding or vehicle changed: it is not the first payment of a fill of that vehicle any more",
    ),
}


def summary(said: Said) -> Text:
    """``told``: card, plate, station, at_us, before_us (None: no fill before it), payments."""
    told, numbers = said.told, said.measures
    at = moment(told["at_us"])
    litres = hundredths(numbers["quantity"])
    zh = f"油卡 {told['card']}（{told['plate']}）{at} 在 {told['station'] or '网点不明'} 加油 {litres} 升"
    en = f"fuel card {told['card']} ({told['plate']}) took {litres} l at {told['station'] or 'an unknown station'}, {at}"
    why = REASONS[said.reason]
    if said.outcome != "suspected":
        head = Text("正常", "Normal") if said.outcome == "normal" else Text("不可判", "Undetermined")
        return Text(f"{head.zh}：{zh}：{why.zh}。", f"{head.en}: {en}: {why.en}.")
    tank = hundredths(numbers["tank"])
    if said.reason == "over_tank":
        return Text(
            f"疑似加油超箱容：{zh}，油箱容积 {tank} 升。", f"Suspected: {en}; the tank holds {tank} l."
        )
    before, burnt, way = (
        hundredths(numbers["before"]),
        hundredths(numbers["burnt"]),
        kilometres(numbers["distance_m"]),
    )
    when = moment(told["before_us"])
    return Text(
        f"疑似加油超箱容：{zh}，上次 {when} 加油 {before} 升，其间行驶 {way.zh}、油耗至多 {burnt} 升，油箱容积 {tank} 升。",
        f"Suspected: {en}; {before} l were filled before, at {when}; {way.en} since burnt {burnt} l at most, and the tank holds {tank} l.",
    )


WORDING: Final = RuleWording(REASONS, summary)
