"""Names and examples of the records, for the documentation."""

from __future__ import annotations

from typing import Any, Final

LABELS: Final = {
    "organisations": "单位",
    "vehicles": "车辆",
    "terminals": "终端",
    "drivers": "驾驶员",
    "fences": "围栏",
    "dispatch-orders": "派车单",
}

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "organisations": {"name": "市财政局", "parent": "city"},
    "vehicles": {"plate": "苏F12345", "organisation": "finance", "category": "机要通信", "energy": "petrol"},
    "terminals": {"vehicle": "car-1", "valid_from": "2026-01-01T00:00:00+08:00"},
    "drivers": {"name": "张三", "organisation": "finance", "phone": "13800000000"},
    "fences": {
        "name": "财政局停车场",
        "organisation": "finance",
        "vehicles": ["car-1"],
        "datum": "gcj02",
        "geometry": {
            "type": "Polygon",
            "coordinates": [
                [[120.89, 31.98], [120.892, 31.98], [120.892, 31.982], [120.89, 31.982], [120.89, 31.98]]
            ],
        },
        "valid_from": "2026-01-01T00:00:00+08:00",
    },
    "dispatch-orders": {
        "organisation": "finance",
        "vehicle": "car-1",
        "driver": "driver-1",
        "task_type": "official",
        "purpose": "调研",
        "status": "approved",
        "destinations": [{"name": "如皋市政府", "lat": 32.371, "lon": 120.573, "datum": "gcj02"}],
        "planned_departure": "2026-03-02T08:30:00+08:00",
        "planned_return": "2026-03-02T17:30:00+08:00",
    },
}

RESULT: Final[dict[str, Any]] = {
    "order": "2026-0302-017",
    "order_version": 3,
    "vehicle": "car-1",
    "state": "settled",
    "mileage_m": 48_210,
    "bridged_m": 0,
    "odometer_m": 48_300,
    "fixes": 1_204,
    "first_fix_at": "2026-03-02T08:20:10+08:00",
    "last_fix_at": "2026-03-02T16:51:40+08:00",
    "destinations": [{"index": 0, "name": "如皋市政府", "nearest_m": 35}],
    "computed_at": "2026-03-02T16:52:02+08:00",
}
