"""The exchange without a database: contents and versions, batches, pauses, addresses, mappings, and a peer that answers oddly."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from office.exchange.backoff import pause_s
from office.exchange.kinds import DOWN, KINDS, UP, digest, normal, time_of
from office.exchange.mapping import ReceiverMapping
from office.exchange.mapping_file import MappingError, example_path, load, parse
from office.exchange.outgoing import Row, _piece
from office.exchange.records import Told
from office.exchange.sender import _results
from office.exchange.transport import PeerError, TargetError, Transport, checked_url
from tests.integration.webhook_receiver import Receiver
from tests.unit.test_webhook_posting import certificate

CAR: dict[str, Any] = {
    "organisation": "school", "plate": "苏F00001", "energy": "petrol", "ownership": "owned", "tank_ml": 60_500, "registered_on": "2026-01-05",
}  # fmt: skip
ORDER: dict[str, Any] = {
    "organisation": "school", "order_version": 1, "vehicle": "car-1", "task_type": "official", "status": "approved",
    "planned_departure": "2026-03-02T08:30:00+08:00", "planned_return": "2026-03-02T09:30:00Z",
}  # fmt: skip
ROW = Row("vehicle", "", "car-1", 7)


def told(payload: dict[str, Any] | None, unit: str = "school") -> Told:
    return Told("vehicle", "", "car-1", unit, unit, payload)


# --- contents


def test_a_content_is_what_its_model_knows_and_has_one_hash() -> None:
    first = normal(UP["order"], ORDER | {"field_of_tomorrow": 1})
    assert first["planned_departure"] == "2026-03-02T00:30:00Z"
    assert "field_of_tomorrow" not in first
    assert digest(first) == digest(normal(UP["order"], dict(reversed(first.items()))))
    assert digest(first) != digest(first | {"status": "returned"}) != digest(None)
    moment = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
    assert time_of(UP["order"], first, datetime.now(UTC)) == moment
    assert time_of(UP["vehicle"], CAR, moment) == moment
    # An order may be for next week; an alert or a case of next year, of a wrong clock or a liar, is of now.
    assert time_of(UP["order"], {"planned_departure": "2031-03-02T08:30:00Z"}, moment).year == 2031
    for kind, field in (("alert", "detected_at"), ("case", "issued_at")):
        assert time_of(UP[kind], {field: "2099-12-31T00:00:00Z"}, moment) == moment
        assert time_of(UP[kind], {field: "2026-03-01T00:00:00Z"}, moment).day == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"vehicle": None}, {"vehicle": ""}, {"vehicle": "x" * 129}, {"order_version": "1"}, {"order_version": True},
        {"planned_departure": "2026-03-02"}, {"purpose": "a\0b"}, {"destinations": ["x"] * 1_001}, {"status": "x" * 501},
        {"organisation": None},
    ],
)  # fmt: skip
def test_a_content_that_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        normal(UP["order"], ORDER | wrong)


def test_kinds_are_sent_units_first_and_lists_have_their_fields() -> None:
    assert min(UP.values(), key=lambda kind: kind.urgency).name == "unit"
    for kind in (*UP.values(), *DOWN.values()):
        assert {name for name in (kind.status, kind.time) if name} <= kind.model.model_fields.keys()
        assert KINDS[kind.name] is kind


# --- versions


def known(payload: dict[str, Any] | None, version: int, *, confirmed: bool) -> dict[str, Any]:
    return {"version": version, "sha256": digest(payload), "gone": payload is None, "confirmed": confirmed}


@pytest.mark.parametrize(
    ("now", "before", "version"),
    [
        (CAR, None, 1),
        (CAR, known(CAR, 3, confirmed=True), None),  # it has it
        (CAR, known(CAR, 3, confirmed=False), 3),  # perhaps it has it: the same again
        (CAR | {"plate": ""}, known(CAR, 3, confirmed=True), 4),
        (CAR | {"plate": ""}, known(CAR, 3, confirmed=False), 4),  # never another content under 3
        (None, None, None),  # it was never told
        (None, known(CAR, 3, confirmed=False), 4),
        (None, known(None, 4, confirmed=False), 4),
        (None, known(None, 4, confirmed=True), None),
        (CAR, known(None, 4, confirmed=True), 5),
    ],
)
def test_a_version_stands_for_one_content(
    now: dict[str, Any] | None, before: dict[str, Any] | None, version: int | None
) -> None:
    piece = _piece(ROW, told(now), before, 0, {"school"}, None)
    assert (None if piece is None else piece.told.version) == version


def test_a_record_that_comes_again_long_after_it_was_taken_back_begins_above_what_was_dropped() -> None:
    piece = _piece(ROW, told(CAR), None, 7, {"school"}, None)
    assert piece is not None
    assert piece.told.version == 8
    assert _piece(ROW, told(CAR), known(CAR, 3, confirmed=True), 7, {"school"}, None) is None


def test_what_leaves_the_units_of_a_peer_is_taken_back_there() -> None:
    piece = _piece(ROW, told(CAR, "elsewhere"), known(CAR, 1, confirmed=True), 0, {"school"}, None)
    assert piece is not None
    assert (piece.told.payload, piece.told.version) == (None, 2)
    assert _piece(ROW, told(CAR, "elsewhere"), None, 0, {"school"}, None) is None


@pytest.mark.parametrize(
    "answer", [{}, {"results": 1}, {"results": []}, {"results": [1]}, {"results": [{}, {}]}]
)
def test_an_answer_that_does_not_fit_confirms_nothing(answer: Any) -> None:
    with pytest.raises(PeerError):
        _results(answer, 1)
    assert _results({"results": [{"outcome": "stored", "version": 2**60}]}, 1)[0].version is None


# --- pauses and addresses


@given(st.integers(1, 10_000), st.one_of(st.none(), st.floats(0, 3_600)), st.integers(0, 9))
def test_a_pause_grows_is_bounded_and_never_less_than_was_asked_for(
    failures: int, asked: float | None, seed: int
) -> None:
    pause = pause_s(failures, asked, random.Random(seed))
    assert 0.5 <= pause <= max(300.0, 1.2 * (asked or 0))
    assert pause >= (asked or 0)
    if asked is None:
        assert pause <= 2.0 ** min(failures - 1, 9)
    assert pause_s(3, None, random.Random(1)) != pause_s(3, None, random.Random(2))


def test_addresses_of_peers() -> None:
    for fine in (
        "https://nt.example.cn",
        "https://10.20.0.5:8443/api/",
        "http://127.0.0.1:8000",
        "http://[::1]:1",
        "http://localhost",
    ):
        assert checked_url(fine) == fine.rstrip("/")
    for wrong in (
        "http://nt.example.cn", "http://10.20.0.5", "ftp://x", "https://", "https://a:b@x.cn", "https://x.cn/?a=1", "https://x.cn/#a",
        "https://169.254.169.254/", "https://[fe80::1]/", "https://0.0.0.0", "https://224.0.0.1", "https://x.cn:0", "https://x.cn:99999",
        "https://中国.cn", "https://x.cn/a b", "https://x.cn\\@y.cn", "javascript:alert(1)", "https://x.cn/" + "a" * 500,
    ):  # fmt: skip
        with pytest.raises(TargetError):
            checked_url(wrong)


@pytest.mark.parametrize("does", ["ok", "fail", "redirect", "huge", "hang_up", "half", "stall"])
async def test_whatever_a_peer_answers_is_no_confirmation(does: str) -> None:
    receiver = Receiver(lambda: does)
    await receiver.start()
    transport = Transport(
        f"http://127.0.0.1:{receiver.port}", "c", "s", ca_file=None, timeout_s=3 if does == "stall" else 30
    )
    try:
        with pytest.raises(PeerError) as error:
            await transport.push(b"{}")
    finally:
        await transport.close()
        await receiver.stop()
    assert len(str(error.value)) < 500
    assert len(receiver.got) == 1  # a redirect was not followed, and without a token nothing was pushed
    assert "authorization" in receiver.got[0].headers


async def test_tls_is_verified(tmp_path: Path) -> None:
    file, context = certificate(tmp_path, "localhost")
    receiver = Receiver()
    receiver.tls = context
    await receiver.start()
    url = f"https://localhost:{receiver.port}"
    try:
        for trusted, said in ((None, "certificate verify failed"), (file, "")):
            transport = Transport(url, "c", "s", ca_file=trusted, timeout_s=5)
            with pytest.raises(PeerError) as error:
                await transport.push(b"{}")
            await transport.close()
            assert said in str(error.value)
            assert bool(receiver.got) == (trusted is not None)
    finally:
        await receiver.stop()


# --- mappings


def mapped(fields: str, more: str = "") -> ReceiverMapping:
    text = f"""
name: test
note: nobody's
code_tables: {{energy: {{petrol: A, diesel: B, electric: C, hybrid: D, gas: E}}, half: {{petrol: A}}}}
interfaces:
  - {{clause: "1", name: car, kind: vehicle, {more} fields: [{fields}]}}
"""
    return parse(text.encode(), "test.yaml")


def test_a_record_in_the_fields_of_a_receiver() -> None:
    mapping = mapped(
        "{to: ID, from: id, required: true}, {to: FUEL, from: energy, codes: energy}, {to: TANK, from: tank_ml, unit: ml, as: L},"
        " {to: SINCE, from: registered_on, time: date}, {to: BY, value: gongche}, {to: KWH, from: battery_wh, unit: Wh, as: kWh}"
    )
    (one,) = (mapping(told(CAR)) or {})["interfaces"]
    assert one["fields"] == {"ID": "car-1", "FUEL": "A", "TANK": 60.5, "SINCE": "2026-01-05", "BY": "gongche"}
    assert mapping(Told("driver", "", "d", "school", "school", {"name": "x"})) is None
    only = mapped("{to: ID, from: id}", "where: {energy: [diesel]},")
    assert only(told(CAR)) is None
    with pytest.raises(ValueError, match="必填"):
        mapped("{to: KWH, from: battery_wh, required: true}")(told(CAR))
    with pytest.raises(ValueError, match="代码表中没有"):
        mapped("{to: FUEL, from: energy, codes: energy}")(told(CAR | {"energy": "steam"}))
    with pytest.raises(ValueError, match="超过"):
        mapped("{to: P, from: plate, length: 3}")(told(CAR))
    times = normal(UP["order"], ORDER)
    order = parse(
        b"{name: t, note: n, interfaces: [{clause: '1', name: o, kind: order, fields: [{to: T, from: planned_departure, time: datetime}]}]}",
        "t",
    )
    assert (order(Told("order", "", "o", "s", "s", times)) or {})["interfaces"][0]["fields"] == {
        "T": "2026-03-02 08:30:00"
    }


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("{to: X, from: colour}", "没有字段 colour"),
        ("{to: X, from: energy, codes: none}", "没有代码表 none"),
        ("{to: X, from: energy, codes: half}", "缺少 diesel"),
        ("{to: X, from: tank_ml, unit: ml, as: gallon}", "单位未知 gallon"),
        ("{to: X, from: tank_ml, unit: ml, as: kWh}", "不能换算"),
        ("{to: X, from: tank_ml, as: L}", "单位未知 None"),
        ("{to: X, from: registered_on, time: julian}", "时间格式未知"),
        ("{to: X, from: energy, codes: energy, time: date}", "只能有一个"),
        ("{to: X}", "有且仅有一个"),
        ("{to: X, from: id, value: 1}", "有且仅有一个"),
        ("{to: X, from: id, colour: red}", "没有 colour 这一项"),
        ("{to: X, from: id}, {to: X, from: plate}", "出现两次"),
        ("{to: X, from: id, required: maybe}", "true 或 false"),
        ("{from: id}", "缺少 to"),
        ("", "没有字段"),
        ("7", "应为键值表"),
    ],
)
def test_a_mapping_that_cannot_work_says_where(fields: str, said: str) -> None:
    with pytest.raises(MappingError, match=said) as error:
        mapped(fields)
    assert "test.yaml: /interfaces/0" in error.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "应为键值表"),
        ("[", "不是有效的 YAML"),
        ("name: !!python/object/apply:os.system [id]", "不是有效的 YAML"),
        ("a: &x [1]\nb: *x", "别名"),
        ("name: a\nname: b", "stands twice"),
        ("name: [a]\nnote: n\ninterfaces: []", "/name"),
        ("name: a\nnote: n\ninterfaces: {a: b}", "应为列表"),
        (
            "name: a\nnote: n\ninterfaces: [{clause: '1', name: x, kind: track, fields: []}]",
            "没有这种记录 track",
        ),
        ("? [a, b]\n: c", "不是有效的 YAML"),
        ("{" * 5_000, "嵌套过深"),
        ("- " * 5_000, "嵌套过深"),
        ("x" * (1 << 20) + "x", "字节"),
    ],
)
def test_a_file_that_is_no_mapping(text: str, said: str) -> None:
    with pytest.raises(MappingError, match=said):
        parse(text.encode(), "x")


def test_the_shipped_mapping_is_whole_and_says_whose_reading_it_is(tmp_path: Path) -> None:
    mapping = load(example_path())
    clauses = {one.clause for one in mapping.interfaces} | {one.clause for one in mapping.not_served}
    assert clauses == {f"7.{k}" for k in range(3, 20)}  # 17 interfaces
    text = example_path().read_text("utf-8")
    assert "不是标准的字段表" in mapping.note
    assert "NOT the standard's field tables" in text
    made = mapping(Told("order", "", "o1", "school", "school", normal(UP["order"], ORDER), 4))
    assert made is not None
    fields = made["interfaces"][0]["fields"]
    assert (fields["task_type"], fields["record_version"], fields["planned_end"]) == (
        "1",
        4,
        "2026-03-02 17:30:00",
    )
    with pytest.raises(MappingError, match="nowhere"):
        load(tmp_path / "nowhere.yaml")
