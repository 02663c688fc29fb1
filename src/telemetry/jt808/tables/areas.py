"""Areas and routes: set, deleted, asked for (2019)."""

from __future__ import annotations

from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.composite import Bit, Either, Numbers, OneOf, Rows, When
from telemetry.jt808.tables.grammar import Num, Table, Text, time
from telemetry.jt808.tables.message import Message, every

V2011, V2013, V2019 = Version

#: Attributes of an area (2013 table 56; 2019 table 44).
_AREA_BITS = {
    0: "根据时间|by time",
    1: "限速|speed limit",
    2: "进区域报警给驾驶员|entering: tells the driver",
    3: "进区域报警给平台|entering: tells the platform",
    4: "出区域报警给驾驶员|leaving: tells the driver",
    5: "出区域报警给平台|leaving: tells the platform",
    6: "南纬|south",
    7: "西经|west",
    8: "禁止开门|doors must stay shut",
    14: "进区域关闭通信模块|entering: closes the radio",
    15: "进区域采集 GNSS 详细定位数据|entering: takes detailed GNSS data",
}
_ROUTE_BITS = {
    0: "根据时间|by time",
    2: "进路线报警给驾驶员|entering: tells the driver",
    3: "进路线报警给平台|entering: tells the platform",
    4: "出路线报警给驾驶员|leaving: tells the driver",
    5: "出路线报警给平台|leaving: tells the platform",
}
_SEGMENT_BITS = {0: "行驶时间|time", 1: "限速|speed limit", 2: "南纬|south", 3: "西经|west"}

_TIMES = When(
    Bit("attributes", 0),
    (
        time("begins", "起始时间（年月日为 0 表示每天）|begins; a date of zeros = every day"),
        time("ends", "结束时间|ends"),
    ),
)
_LIMIT = (
    Num("max_speed_kmh", "最高速度|speed limit", 2, "km/h"),
    Num("overspeed_s", "超速持续时间|overspeed for", 1, "s"),
)
_NIGHT = (Num("night_speed_kmh", "夜间最高速度|speed limit at night", 2, "km/h"),)
_NAME = Text("name", "名称|name", prefix=2)


def _place(name: str, label: str, english: str) -> Table:
    return (
        Num(f"{name}lat_e6", f"{label}纬度|latitude{english}", 4, "°", 1e-6),
        Num(f"{name}lon_e6", f"{label}经度|longitude{english}", 4, "°", 1e-6),
    )


def _area(where: Table, edition: Version, *, behind: Table = ()) -> Table:
    """An area of ``edition``: what it is, where, when, how fast. ``behind``: its vertices, before what 2019 added."""
    late: Table = (When(Bit("attributes", 1), _NIGHT), _NAME) if edition is V2019 else ()
    return (
        Num("id", "区域 ID|id of the area", 4),
        Num("attributes", "区域属性|attributes", 2, bits=_AREA_BITS),
        *where,
        _TIMES,
        When(Bit("attributes", 1), _LIMIT),
        *behind,
        *late,
    )


def _circle(edition: Version) -> Table:
    radius = Num("radius_m", "半径|radius", 4, "m")
    return _area((*_place("", "中心点", " of the centre"), radius), edition)


def _rectangle(edition: Version) -> Table:
    left = _place("top_left_", "左上点", " of the top left")
    return _area((*left, *_place("bottom_right_", "右下点", " of the bottom right")), edition)


def _polygon(edition: Version) -> Table:
    return _area((), edition, behind=_points("vertices", "顶点|vertices", _place("", "顶点", ""), edition))


def _points(name: str, label: str, table: Table, edition: Version) -> Table:
    """A list with its count WORD; in 2011 that is of all packages, and a BYTE counts those of this one."""
    if edition is not V2011:
        return (Rows(name, label, table, count=2),)
    return (Num("total", "总数|in all packages", 2, count_of=name, at_least=True), Rows(name, label, table))


def _route(edition: Version) -> Table:
    night: Table = _NIGHT if edition is V2019 else ()
    limits: Table = (
        Num("too_long_s", "路段行驶过长阈值|takes at most", 2, "s"),
        Num("too_short_s", "路段行驶不足阈值|takes at least", 2, "s"),
    )
    if edition is V2011:
        limits = (Num("time_s", "路段行驶时长|time on the segment", 2, "s"),)
    turn = (
        *(() if edition is V2011 else (Num("id", "拐点 ID|id of the turn", 4),)),
        Num("segment_id", "路段 ID|id of the segment", 4),
        *_place("", "拐点", ""),
        Num("width_m", "路段宽度|width", 1, "m"),
        Num("attributes", "路段属性|attributes", 1, bits=_SEGMENT_BITS),
        When(Bit("attributes", 0), limits),
        When(Bit("attributes", 1), (*_LIMIT, *night)),
    )
    return (
        Num("id", "路线 ID|id of the route", 4),
        Num("attributes", "路线属性|attributes", 2, bits=_ROUTE_BITS),
        _TIMES,
        *_points("turns", "拐点|turns", turn, edition),
        *((_NAME,) if edition is V2019 else ()),
    )


def _set(table: Table, edition: Version) -> Table:
    codes = {0: "更新区域|replace all", 1: "追加区域|add", 2: "修改区域|change"}
    setting, rows = (
        Num("setting", "设置属性|kind of setting", 1, codes=codes),
        Rows("areas", "区域项|areas", table),
    )
    if edition is V2011:
        return (
            setting,
            Num("total", "区域总数|areas in all packages", 1, count_of="areas", at_least=True),
            rows,
        )
    return (setting, rows)


def _delete(label: str) -> Table:
    return (Numbers("ids", label, 4),)


_QUERIES = {1: "圆形区域|circles", 2: "矩形区域|rectangles", 3: "多边形区域|polygons", 4: "路线|routes"}
_QUERIED = Num("kind", "查询类型|kind", 1, codes=_QUERIES)
_SHAPES = {1: _circle(V2019), 2: _rectangle(V2019), 3: _polygon(V2019), 4: _route(V2019)}
#: What stands for each that was found: for circles and rectangles a whole body of 0x8600 or 0x8602 (tables 45 and 49).
_BODIES = _SHAPES | {kind: _set(_SHAPES[kind], V2019) for kind in (1, 2)}


def _answer(kind: int) -> When:
    label = "区域或线路数据|areas or routes"
    whole = Rows("found", label, _BODIES[kind], count=4)
    if _BODIES[kind] is _SHAPES[kind]:
        return When(OneOf("kind", (kind,)), (whole,))
    # Some terminals put the areas themselves there.
    return When(
        OneOf("kind", (kind,)), (Either(((whole,), (Rows("areas", label, _SHAPES[kind], count=4),))),)
    )


MESSAGES = (
    Message(
        MessageId.SET_CIRCLES,
        "设置圆形区域|sets circles",
        {edition: _set(_circle(edition), edition) for edition in Version},
    ),
    Message(
        MessageId.DELETE_CIRCLES,
        "删除圆形区域|deletes circles",
        every(_delete("区域 ID（无 = 全部）|ids, none = all")),
    ),
    Message(
        MessageId.SET_RECTANGLES,
        "设置矩形区域|sets rectangles",
        {edition: _set(_rectangle(edition), edition) for edition in Version},
    ),
    Message(
        MessageId.DELETE_RECTANGLES,
        "删除矩形区域|deletes rectangles",
        every(_delete("区域 ID（无 = 全部）|ids, none = all")),
    ),
    Message(
        MessageId.SET_POLYGON,
        "设置多边形区域|sets a polygon",
        {edition: _polygon(edition) for edition in Version},
    ),
    Message(
        MessageId.DELETE_POLYGONS,
        "删除多边形区域|deletes polygons",
        every(_delete("区域 ID（无 = 全部）|ids, none = all")),
    ),
    Message(MessageId.SET_ROUTE, "设置路线|sets a route", {edition: _route(edition) for edition in Version}),
    Message(
        MessageId.DELETE_ROUTES,
        "删除路线|deletes routes",
        every(_delete("路线 ID（无 = 全部）|ids, none = all")),
    ),
    Message(
        MessageId.QUERY_AREAS,
        "查询区域或线路数据|asks for areas or routes",
        every((_QUERIED, Numbers("ids", "区域或线路 ID（无 = 全部）|ids, none = all", 4, count=4))),
    ),
    Message(
        MessageId.AREAS_REPLY,
        "查询区域或线路数据应答|areas or routes",
        every(
            (
                _QUERIED,
                *(_answer(kind) for kind in _SHAPES),
            )
        ),
    ),
)
