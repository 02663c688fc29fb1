"""What is weighed: each in 分, so that a dispatcher understands it; and the limits of the hard constraints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Weights:
    """Prices in 分, limits in minutes and hours. Defaults as the parameters have them (registry.parameters, group ``planner``)."""

    empty_fen_km: int = 120
    other_unit_fen: int = 1_000
    class_above_fen: int = 2_000
    seat_fen: int = 100
    fairness_fen_h: int = 100
    unfamiliar_fen: int = 300
    fuel_short_fen: int = 200
    late_fen_min: int = 200
    change_fen: int = 5_000
    turnaround_min: int = 10
    driver_day_h: int = 10
    reserve_emergency: int = 0
    reserve_confidential: int = 0
    tail_first: int = 0


#: A trip that is no longer is better driven by an electric vehicle, in metres.
SHORT_M: Final = 50_000
#: So long driving, without a rest of that length, at most (道路交通安全法实施条例 62), in seconds.
DRIVE_S, REST_S = 4 * 3600, 20 * 60
#: Whoever has to wait longer goes back to the base in between, in seconds.
HOME_S: Final = 2 * 3600
#: A vehicle whose base nobody knows is taken to be so far away, in metres.
UNKNOWN_BASE_M: Final = 5_000
#: Of the range so much is left at least, in permille.
LEFT_PERMILLE: Final = 150
#: What an emergency may wait longer than planned, and every other trip: nothing is sent that comes later, in seconds.
LATE_S: Final = 30 * 60
#: A told assignment that was accepted and leaves within this time is frozen (H8), in seconds.
FROZEN_S: Final = 60 * 60
#: Detour of who shares a vehicle at most: of his own way in permille, and in seconds (H12).
DETOUR_PERMILLE, DETOUR_S = 200, 10 * 60

#: What it counts that a request gets no vehicle, in 分, by category: 应急 > 机要 > 执法 > 会议 > 其他.
UNSERVED: Final = {"emergency": 10_000_000, "confidential": 3_000_000, "enforcement": 1_000_000, "special": 500_000, "other": 100_000, "rental": 100_000}  # fmt: skip
#: A meeting has its time; what else is routine has not.
UNSERVED_MEETING: Final = 200_000

#: Terms of the cost, in the order in which they are shown, with what people read.
TERMS: Final = {
    "empty": "空驶 · empty km",
    "unknown_base": "停放点未登记，按 5 公里计 · its base is not registered, taken for 5 km",
    "other_unit": "不是用车单位的车 · another unit's vehicle",
    "class_above": "跨级：应急、机要等车辆用于一般公务 · a vehicle of a class above the need",
    "seats": "空座 · empty seats",
    "vehicle_km": "该车近期用得较多 · it has driven more than others",
    "driver_time": "该驾驶员近期任务较多 · the driver has worked more than others",
    "unfamiliar": "驾驶员不熟悉该车 · the driver does not know the vehicle",
    "fuel_short": "短途未用新能源车 · a short trip without an electric vehicle",
    "contractor": "社会化租赁计价 · price of the contractor",
    "late": "晚到 · late",
    "change": "改动已通知的派车 · changes what was told",
}
