"""``gongche frames decode``: frames from whatever people have, in words, with what is wrong."""

from __future__ import annotations

import io
import itertools
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from struct import pack

import orjson
import pytest

from gongche.cli import main
from gongche.frames.captures import from_capture
from gongche.frames.inputs import find, from_stream
from gongche.frames.packets import CaptureError, packets, payloads
from gongche.frames.runs import Cutter, Found, Kind, Notes
from gongche.frames.streams import Streams
from gongche.frames.texts import from_hex, line_bytes
from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.codec import encode, frames
from tests.jt808_messages import CASES
from tests.jt808_vectors import cases

HEARTBEAT = next(one["frame"] for one in cases() if one["name"] == "heartbeat")
POSITION = next(one["frame"] for one in cases() if one["id"] == 0x0200)


# --- hex --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        HEARTBEAT.hex(),
        HEARTBEAT.hex().upper(),
        HEARTBEAT.hex(" "),
        HEARTBEAT.hex(":"),
        ", ".join(f"0x{byte:02X}" for byte in HEARTBEAT),
        "{" + ",".join(f"0x{byte:02x}" for byte in HEARTBEAT) + "}",
        "".join(f"\\x{byte:02x}" for byte in HEARTBEAT),
        "0x" + HEARTBEAT.hex(),
        HEARTBEAT.hex("\n", 4),
    ],
)
def test_hex_as_people_copy_it(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert from_hex(text) == HEARTBEAT
    assert main(["frames", "decode", *text.split()]) == 0
    out = capsys.readouterr()
    assert "0x0002 终端心跳" in out.out
    assert "1 帧，有错误 0" in out.err


@pytest.mark.parametrize("text", ["", "7e0", "hello", "7g", "0x"])
def test_other_text_is_no_hex(text: str) -> None:
    assert from_hex(text) is None


@pytest.mark.parametrize(
    "line",
    [
        f"2026-03-02 10:11:12.345 [gw-1] RECV 013912345678 <- {HEARTBEAT.hex()}",
        f"10:11:12 up {HEARTBEAT.hex(' ')} ok",
        f'{{"raw": "{HEARTBEAT.hex()}", "len": 15}}',
        f"[{HEARTBEAT.hex()}]  # 心跳",
        f"[#12] {HEARTBEAT.hex()}",
        f"收到：{HEARTBEAT.hex()}，长度 15",
    ],
)
def test_hex_within_a_line_of_a_log(line: str) -> None:
    assert line_bytes(line) == [HEARTBEAT]


@pytest.mark.parametrize("line", ["", "2026", "20260302101112", "心跳", "7e", "connected 7e"])
def test_a_line_without_a_frame_is_passed_over(line: str) -> None:
    assert [raw for raw in line_bytes(line) if len(raw) > 1] == []


def test_a_log_that_is_still_written_is_shown_as_it_grows() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as file, os.fdopen(write, "wb", buffering=0) as log:
        log.write(f"{HEARTBEAT.hex()}\n".encode())
        runs = from_stream(file, frozenset(), Notes(), "")
        assert next(runs).data == HEARTBEAT[1:-1]
        log.write(f"{POSITION.hex()}\n".encode())
        assert next(runs).data == POSITION[1:-1]
        log.close()
        assert next(runs, None) is None


def test_a_stream_cut_anywhere_gives_the_same_runs() -> None:
    stream = b"junk" + HEARTBEAT + POSITION[1:] + b"\x7e" + HEARTBEAT[:5]
    whole = Cutter()
    wanted = [*whole.feed(stream), *whole.end()]
    assert [kind for kind, _ in wanted] == [Kind.JUNK, Kind.FRAME, Kind.FRAME, Kind.OPEN]
    for at in range(len(stream)):
        cutter = Cutter()
        assert [*cutter.feed(stream[:at]), *cutter.feed(stream[at:]), *cutter.end()] == wanted


def decoded(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, object]], str]:
    status = main(["frames", "decode", "--json", *words])
    out = capsys.readouterr()
    return status, [orjson.loads(line) for line in out.out.splitlines()], out.err


def test_files_of_lines_dumps_and_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stream = HEARTBEAT + POSITION
    dump = "\n".join(
        f"{at:08x}  {stream[at : at + 16].hex(' '):<48} |{'.' * len(stream[at : at + 16])}|"
        for at in range(0, len(stream), 16)
    )
    xxd = "\n".join(
        f"{at:08x}: {stream[at : at + 16].hex(' ', 2):<40} {'.' * 16}" for at in range(0, len(stream), 16)
    )
    for text in (
        f"# 两帧\n{HEARTBEAT.hex()}\n\n10:11 收到 {POSITION.hex(' ')} 完\n".encode(),
        f"# 两帧\r\n{HEARTBEAT.hex()}\r\n{POSITION.hex()}\r\n".encode("gb18030"),
        f"{HEARTBEAT.hex()}\n{POSITION.hex()}".encode("utf-16"),
        dump.encode(),
        xxd.encode(),
        stream,
    ):
        path = tmp_path / "frames"
        path.write_bytes(text)
        status, told, _ = decoded(capsys, str(path))
        assert status == 0
        assert [one["id"] for one in told] == ["0002", "0200"]


def test_what_is_wrong_is_told_and_gives_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = HEARTBEAT[:-2] + bytes((HEARTBEAT[-2] ^ 1, 0x7E))
    assert main(["frames", "decode", wrong.hex(), "--lang", "en"]) == 1
    out = capsys.readouterr()
    assert "wrong checksum" in out.out
    assert "frames 1, wrong 1" in out.err
    assert main(["frames", "decode", "--brief", wrong.hex()]) == 1
    assert "校验码错误" in capsys.readouterr().out
    assert main(["frames", "decode", HEARTBEAT[1:-1].hex()]) == 1
    assert "没有标识位" in capsys.readouterr().out
    assert main(["frames", "decode", HEARTBEAT[:-1].hex()]) == 1
    assert "没有结束的 7E" in capsys.readouterr().out
    assert main(["frames", "decode", HEARTBEAT[1:-2].hex()]) == 1
    bare = capsys.readouterr().out
    assert "0x0002 终端心跳" in bare
    assert "没有校验码" in bare


def test_what_is_no_file_and_no_hex_is_an_error_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["frames", "decode", "nowhere.pcap"]) == 78
    assert "nowhere.pcap" in capsys.readouterr().err
    assert main(["frames", "decode", str(tmp_path)]) == 78
    assert main(["frames", "decode", "7e", str(tmp_path)]) == 78
    empty = tmp_path / "empty"
    empty.touch()
    assert main(["frames", "decode", str(empty)]) == 1
    capsys.readouterr()


def test_what_a_terminal_says_at_registration_tells_its_edition(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """2011 and 2013 have the same header, and a position the same layout."""
    path = tmp_path / "frames.txt"
    for edition in (2011, 2013, 2019):
        mine = [
            one["frame"] for one in cases() if one["edition"] == edition and one["id"] in (0x0100, 0x0200)
        ]
        path.write_text("\n".join(frame.hex() for frame in (mine[0], mine[-1])))
        _, told, _ = decoded(capsys, str(path))
        assert [one["edition"] for one in told] == [edition, edition]


def test_a_frame_over_several_lines_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "frames.txt"
    path.write_text(
        f"{POSITION.hex(chr(10), 16)}\n{HEARTBEAT.hex(' ')}\n\n{HEARTBEAT[:-1].hex()}\n7e\n{POSITION[:20].hex()}\n"
    )
    status, told, _ = decoded(capsys, str(path))
    assert status == 1
    assert [(one["id"], bool(one["problems"])) for one in told] == [
        ("0200", False), ("0002", False), ("0002", False), ("0200", True),
    ]  # fmt: skip


def test_packages_are_put_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = next(one for one in CASES if one.message == 0x0801 and 2013 in one.editions)
    body = encode(0x0801, Version.V2013, {**picture.fields, "data": bytes(2000)})
    path = tmp_path / "picture.txt"
    sent = frames("13900000001", Version.V2013, 0x0801, body, 65535)
    path.write_text("\n".join(frame.hex() for frame in reversed(sent)))
    status, told, err = decoded(capsys, str(path))
    assert status == 0
    assert [one["packages"] for one in told] == [None, None, 2]
    assert told[-1]["fields"][-1]["path"] == "data"  # type: ignore[index]  # of JSON
    path.write_text(sent[0].hex())
    status, told, err = decoded(capsys, str(path))
    assert "分包不全的消息 1" in err


def test_only_what_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "frames.txt"
    path.write_text("\n".join(one["frame"].hex() for one in cases()))
    for words, wanted in (
        (["--id", "0200"], {"0200"}),
        (["--phone", "013912345678", "--id", "8100"], {"8100"}),
        (["--most", "1"], {"0002"}),
    ):
        _, told, _ = decoded(capsys, str(path), *words)
        assert {one["id"] for one in told} == wanted
    _, told, err = decoded(capsys, str(path), "--most", "2")
    assert len(told) == 2
    assert "--most" in err


# --- captures ---------------------------------------------------------------------------------------

Segment = tuple[int, bytes]


def tcp(
    sequence: int, data: bytes, flags: int = 0x18, port: int = 40000, to: int = 8808, version: int = 4
) -> bytes:
    """An Ethernet packet with TCP."""
    segment = pack(">HHIIBBHHH", port, to, sequence % (1 << 32), 0, 5 << 4, flags, 1024, 0, 0) + data
    if version == 6:
        head = pack(">IHBB", 6 << 28, len(segment), 6, 64) + bytes(15) + b"\x01" + bytes(15) + b"\x02"
        return bytes(12) + b"\x86\xdd" + head + segment
    head = pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0) + bytes((10, 0, 0, 1, 10, 0, 0, 2))
    return bytes(12) + b"\x08\x00" + head + segment


def udp(data: bytes) -> bytes:
    segment = pack(">HHHH", 40000, 8808, 8 + len(data), 0) + data
    head = pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, 17, 0) + bytes((10, 0, 0, 1, 10, 0, 0, 2))
    return bytes(12) + b"\x81\x00\x00\x01\x08\x00" + head + segment


def pcap(raw: Sequence[bytes], order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    out = pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    for k, one in enumerate(raw):
        out += pack(f"{order}IIII", 1_772_417_472, k, len(one), len(one)) + one
    return out


def pcapng(raw: Sequence[bytes], order: str = "<") -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = pack(f"{order}I", len(body) + 12)
        return pack(f"{order}I", kind) + size + body + size

    out = block(0x0A0D0D0A, pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, pack(f"{order}HHI", 1, 0, 0) + pack(f"{order}HHBxxx", 9, 1, 9) + pack(f"{order}HH", 0, 0))
    out += block(5, bytes(8))
    for k, one in enumerate(raw):
        time = 1_772_417_472 * 10**9 + k * 1000
        out += block(6, pack(f"{order}IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(one), len(one)) + one)
    return out


def found(raw: bytes, ports: frozenset[int] = frozenset()) -> tuple[list[Found], Notes]:
    notes = Notes()
    return list(from_capture(io.BytesIO(raw), ports, notes, "")), notes


def test_captures_of_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = [
        tcp(99, b"", 2),
        tcp(100, HEARTBEAT[:6]),
        tcp(106, HEARTBEAT[6:] + POSITION),
        udp(HEARTBEAT),
        tcp(1, POSITION, version=6),
    ]
    for capture in (pcap(raw), pcap(raw, ">"), pcap(raw, "<", 0xA1B23C4D), pcapng(raw), pcapng(raw, ">")):
        path = tmp_path / "terminal.pcap"
        path.write_bytes(capture)
        status, told, _ = decoded(capsys, str(path))
        assert status == 0
        assert [one["id"] for one in told] == ["0002", "0200", "0002", "0200"]
        assert told[0]["way"] == "10.0.0.1:40000 → 10.0.0.2:8808"
        assert told[3]["way"] == "[::1]:40000 → [::2]:8808"
        assert str(told[0]["time"]).startswith("2026-03-02T02:11:12")
        assert told[0]["where"] == "3"


def test_tcp_in_any_order_with_repetitions_gives_the_stream() -> None:
    stream = HEARTBEAT + POSITION + HEARTBEAT
    base = (1 << 32) - 20  # the numbers wrap within
    parts = [(0, 10), (10, 25), (20, 40), (40, 70), (0, 30), (70, len(stream))]
    for order in itertools.permutations(range(6)):
        raw = [tcp(base - 1, b"", 2)] + [tcp(base + parts[k][0], stream[slice(*parts[k])]) for k in order]
        runs, _ = found(pcap(raw))
        assert [one.data for one in runs] == [HEARTBEAT[1:-1], POSITION[1:-1], HEARTBEAT[1:-1]]


def test_a_gap_costs_what_is_missing_only() -> None:
    raw = [tcp(0, HEARTBEAT), tcp(15, POSITION[:20]), tcp(1000, HEARTBEAT + POSITION)]
    runs, _ = found(pcap(raw))
    assert [(one.kind, one.lost) for one in runs] == [
        (Kind.FRAME, 0), (Kind.OPEN, 0), (Kind.FRAME, 1000 - 35), (Kind.FRAME, 0),
    ]  # fmt: skip


def test_streams_that_are_not_808_are_passed_over_and_counted() -> None:
    other = bytes(range(256)) * 40
    raw = [tcp(0, other[:5000], port=443), tcp(5000, other[5000:], port=443), tcp(0, HEARTBEAT)]
    runs, notes = found(pcap(raw))
    assert [one.data for one in runs] == [HEARTBEAT[1:-1]]
    assert sum(notes.skipped.values()) == len(other)
    runs, notes = found(pcap(raw), frozenset({443}))
    assert runs[0].kind is Kind.JUNK


def test_waiting_bytes_are_bounded() -> None:
    streams = Streams()
    raw = pcap([tcp(0, b"x"), *(tcp(10 + 2 * k, b"x") for k in range(3000))])
    for payload in payloads(io.BytesIO(raw), Counter()):
        list(streams.take(payload))
    assert sum(len(one.waiting) for one in streams._streams.values()) <= 1024


def test_a_broken_capture_ends_or_is_refused() -> None:
    whole = [pcap([tcp(0, HEARTBEAT)]), pcapng([tcp(0, HEARTBEAT)])]
    for capture in whole:
        for length in range(4, len(capture)):
            try:
                list(packets(io.BytesIO(capture[:length])))
                found(capture[:length])
            except CaptureError:
                assert length < 24
    huge = pcap([]) + pack("<IIII", 0, 0, 1 << 31, 1 << 31)
    with pytest.raises(CaptureError):
        list(packets(io.BytesIO(huge)))
    for k in range(len(whole[0]) - 40):  # any byte of a packet may be anything
        broken = bytearray(whole[0])
        broken[40 + k] ^= 0xFF
        found(bytes(broken))


def test_files_are_found_by_name(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(HEARTBEAT)
    runs = list(find([str(tmp_path / "a"), str(tmp_path / "b")], frozenset(), Notes()))
    assert [Path(one.where).name for one in runs] == ["a", "b"]
