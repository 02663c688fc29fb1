"""Examples of the records, for the documentation."""

from __future__ import annotations

from typing import Any, Final

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
        "applicant": "李四",
        "approver": "王五",
    },
    "fuel-cards": {
        "organisation": "finance",
        "issuer": "中国石化",
        "plate": "苏F12345",
        "valid_from": "2026-01-01T00:00:00+08:00",
    },
    "fuel-stations": {
        "name": "人民路加油站",
        "aliases": ["中石化南通人民路站"],
        "datum": "gcj02",
        "geometry": {"type": "Point", "coordinates": [120.89, 31.98]},
    },
    "fuel-transactions": {
        "card": "1000113200000123456",
        "at": "2026-03-02T08:05:09+08:00",
        "kind": "fill",
        "product": "92号汽油",
        "quantity": "45.32",
        "unit_price": "7.89",
        "amount": "357.57",
        "station_name": "人民路加油站",
    },
    "violations": {
        "plate": "苏F12345",
        "at": "2026-03-02T08:05:00+08:00",
        "place": "人民路与青年路路口",
        "act": "驾驶机动车违反道路交通信号灯通行",
        "fine": "200.00",
        "points": 6,
        "status": "open",
    },
    "clock-corrections": {
        "terminal": "13800000001",
        "valid_from": "2026-03-02T00:00:00+08:00",
        "shift_s": 28800,
        "datum": "gcj02",
        "note": "终端把 UTC 当作北京时间，坐标为 GCJ-02",
    },
    "calendar-days": {"workday": False, "name": "国庆节", "source": "国务院办公厅通知"},
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

PARAMETER: Final[dict[str, Any]] = {
    "rule": "card_use",
    "name": "station_radius_m",
    "organisation": None,
    "value": 300,
    "effective_from": "2026-01-01T00:00:00+08:00",
    "source": "市车改办〔2026〕1号",
}

REPORT: Final[dict[str, Any]] = {
    "rows": 1204,
    "created": 1180,
    "updated": 3,
    "unchanged": 15,
    "repeated": 1,
    "refused": 5,
    "skipped": 2,
    "dry_run": False,
    "columns": {"card": "卡号", "at": "交易时间", "kind": "交易类型", "quantity": "数量(升)"},
    "ignored_columns": ["积分"],
    "notes": ["“金额(分)”已按 1/100 换算 · converted by 1/100"],
    "unmatched_stations": [{"name": "中石化如皋城西站", "rows": 12}],
    "unmatched_station_count": 1,
    "errors": [{"row": 17, "field": "quantity", "message": "不得为负 · must not be negative"}],
    "error_count": 5,
}
