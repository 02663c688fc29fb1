"""Files that people attach, and those that only pretend; callers; samples; what people write."""

from __future__ import annotations

import io
import random
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from office.supervision.callers import Caller, NoKeyError, key_file, load_key
from office.supervision.contents import CaseClose, CaseContents, CaseNote
from office.supervision.papers import MAX_BYTES, read_paper
from office.supervision.problems import PaperError
from office.supervision.sampling import sample
from runtime.settings import Settings


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


EXIF = segment(0xE1, b"Exif\0\0MM\0*GPS 32.05N 118.78E")
FRAME = segment(0xDB, bytes(65)) + segment(0xC0, bytes(15))
JPEG = (
    b"\xff\xd8"
    + segment(0xE0, b"JFIF\0" + bytes(9))
    + FRAME
    + segment(0xDA, bytes(10))
    + b"\x11\xff\x00\x22\xff\xd9"
)
PDF = b"%PDF-1.7\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PNG = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


def office(main: str = "word/document.xml", more: dict[str, bytes] | None = None) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in {"[Content_Types].xml": b"<Types/>", main: b"<w/>" * 50, **(more or {})}.items():
            archive.writestr(name, body)
    return made.getvalue()


ATTACHED = (
    b'<Relationship Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate"'
    b' Target="http://192.0.2.1/a.dotm" TargetMode="External"/>'
)


def packed_pdf(objects: bytes, filters: bytes = b"/FlateDecode", level: int = 6) -> bytes:
    """A PDF with an object stream."""
    body = zlib.compress(objects, level)
    stream = b"2 0 obj <</Type/ObjStm/N 1/First 4/Filter" + filters + b"/Length %d>>\nstream\n" % len(body)
    return PDF.replace(b"trailer", stream + body + b"\nendstream endobj\ntrailer")


@pytest.mark.parametrize(
    ("data", "name", "media_type"),
    [
        (PDF, "回复.pdf", "application/pdf"),
        (JPEG, "a.JPG", "image/jpeg"),
        (PNG, "a.png", "image/png"),
        (office(), "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (office("xl/workbook.xml"), "a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("说明：\n洗车".encode("gb18030"), "a.txt", "text/plain"),
    ],
)  # fmt: skip
def test_what_is_taken(data: bytes, name: str, media_type: str) -> None:
    paper = read_paper(data, name)
    assert (paper.media_type, paper.body) == (media_type, data)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "a.txt"),
        (bytes(MAX_BYTES + 1), "a.txt"),
        (PDF, "a.docx"),  # another type than the name says
        (b"MZ\x90\x00" + PDF, "a.pdf"),
        (JPEG, "a.png"),
        (PDF.replace(b"trailer <<>>", b"trailer <</Encrypt 3 0 R>>"), "a.pdf"),
        (PDF.replace(b"1 0 obj <<>>", b"1 0 obj <</JavaScript (x)>>"), "a.pdf"),
        (PDF[:-8], "a.pdf"),
        (office(more={"word/vbaProject.bin": b"x"}), "a.docx"),
        (office(more={"word/embeddings/oleObject1.bin": b"x"}), "a.docx"),
        (office(more={"word/media/a.zip": office()}), "a.docx"),
        (office(more={"word/media/run.bin": b"MZ program"}), "a.docx"),
        (office(more={"word/bomb.xml": bytes(64 << 20)}), "a.docx"),
        (office("other.xml"), "a.docx"),
        (office(more={"../../etc/passwd": b"x"}), "a.docx"),
        (office()[:-20], "a.docx"),
        (office()[:60], "a.docx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.docx"),
        (b"Rar!\x1a\x07", "a.txt"),
        (b"<html><script>", "a.txt"),
        (b"a\0b", "a.txt"),
        (b"\xff\xfe\xfd\x80", "a.txt"),
        (JPEG[:-2], "a.jpg"),
        (b"\xff\xd8\xff\xd9", "a.jpg"),
        (PNG[:-1], "a.png"),
        (PNG.replace(b"IDAT", b"IDAX"), "a.png"),
        (PDF, "pdf"),
        # Written so that a search for the plain word does not find it.
        (PDF.replace(b"1 0 obj <<>>", b"1 0 obj <</S/Java#53cript>>"), "a.pdf"),
        (packed_pdf(b"<</S/JavaScript/JS(app.alert(1))>>"), "a.pdf"),
        (packed_pdf(b"<</S/Java#53cript>>"), "a.pdf"),
        (packed_pdf(b"<<>>" + b"endstream" * 3 + b"<</S/Launch>>", level=0), "a.pdf"),
        (packed_pdf(b"<<>>", filters=b"[/ASCIIHexDecode /FlateDecode]"), "a.pdf"),
        (packed_pdf(bytes(101 << 20)), "a.pdf"),
        (packed_pdf(b"<<>>")[:-20] + office()[-60:] + b"%%EOF", "a.pdf"),  # a zip as well
        (PDF[:-6] + office() + b"%%EOF", "a.pdf"),
        (office(more={"xl/macrosheets/sheet1.xml": b"x"}), "a.docx"),
        (office(more={"word/_rels/settings.xml.rels": ATTACHED}), "a.docx"),
        (office(more={"word/x.xml": b"<w:instrText>DDEAUTO c:\\x</w:instrText>"}), "a.docx"),
        (office(more={"word/media/a.tiff": b"II*\0GPS"}), "a.docx"),
        (office(more={"word/media/a.webp": b"RIFFxxxxWEBPVP8X"}), "a.docx"),
        (office(more={"word/media/a.jpg": JPEG[:-2]}), "a.docx"),
        (b"PK\x03\x04" + b"PK\x01\x02" * 3_000, "a.docx"),
        (office(more={"[content_types].xml": b"application/vnd.ms-word.document.macroEnabled.main+xml"}), "a.docx"),
        (b"RIFF\x24\x20\x20\x20WEBPVP8 \xff\xfe", "a.jpg"),
        (b"\xef\xbb\xbf <svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", "a.txt"),
        ("日期,说明\n3月2日,=cmd|'/c calc'!A1\n".encode(), "a.csv"),
        (PNG.replace(chunk(b"IHDR", bytes(13)), chunk(b"IHDR", struct.pack(">II", 60_000, 60_000) + bytes(5))), "a.png"),
        (JPEG.replace(FRAME, segment(0xC0, b"\x08" + struct.pack(">HH", 60_000, 60_000) + bytes(10))), "a.jpg"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)  # fmt: skip
def test_what_is_refused(data: bytes, name: str) -> None:
    with pytest.raises(PaperError) as refused:
        read_paper(data, name)
    assert " · " in str(refused.value)


def test_positions_leave_every_place_of_a_picture() -> None:
    """Also what makers invented: a second picture's index, JUMBF, notes of drones; and between the scans of a progressive picture."""
    notes = b"".join(
        segment(marker, body + b" GPS 32.05N")
        for marker, body in ((0xE2, b"MPF\0"), (0xE3, b"Meta"), (0xE4, b"DJI"), (0xEB, b"JP\0\0jumb"), (0xED, b"Photoshop"), (0xE0, b"JFXX\0"))
    )  # fmt: skip
    scan = segment(0xDA, bytes(10)) + b"\x11\xff\x00\x22\xff\xd0\x33"
    table = segment(0xC4, b"\xff\xd9" + bytes(17))  # the bytes of an end within a table are none
    whole = JPEG[:2] + FRAME + scan + table + scan + b"\xff\xd9"
    told = JPEG[:2] + notes + FRAME + scan + EXIF + segment(0xFE, b"GPS") + table + scan + b"\xff\xd9" + JPEG
    assert read_paper(told, "a.jpg").body == whole
    drawn = PNG.replace(
        chunk(b"IDAT", b"x"), chunk(b"caBX", b"GPS") + chunk(b"prVt", b"GPS") + chunk(b"IDAT", b"x")
    )
    assert read_paper(drawn, "a.png").body == PNG
    profile = JPEG.replace(FRAME, segment(0xE2, b"ICC_PROFILE\0\x01\x01p") + FRAME)
    assert read_paper(profile, "a.jpg").body == profile


def test_positions_leave_pictures_in_documents() -> None:
    taken = office(more={"word/media/image1.jpeg": JPEG[:2] + EXIF + JPEG[2:], "word/media/b.png": PNG})
    kept = read_paper(taken, "a.docx").body
    with zipfile.ZipFile(io.BytesIO(kept)) as archive:
        assert archive.read("word/media/image1.jpeg") == JPEG
        assert archive.read("word/media/b.png") == PNG
        assert archive.read("word/document.xml") == b"<w/>" * 50
        assert archive.testzip() is None
    assert read_paper(kept, "a.docx").body == kept
    photo = (
        b"2 0 obj <</Subtype/Image/Filter/DCTDecode>>\nstream\n"
        + JPEG[:2]
        + EXIF
        + JPEG[2:]
        + b"\nendstream\n"
    )
    scanned = PDF.replace(b"trailer", photo + b"trailer")
    kept = read_paper(scanned, "a.pdf").body
    assert b"GPS" not in kept
    assert len(kept) == len(scanned)


def test_plain_papers_are_not_refused() -> None:
    """Bytes of packed pictures look like anything; documents have links."""
    noise = random.Random(1).randbytes(1 << 20)
    body = zlib.compress(noise) + b"/JS (x /XFA /AA /J#53"
    photo = b"2 0 obj <</Length 1>>\nstream\n" + body + b"\nendstream\n"
    for plain in (
        PDF.replace(b"trailer", photo + b"trailer"),
        packed_pdf(b"<</Type/Font>><</S/URI/URI(https://www.gov.cn)>>"),
        PDF.replace(b"1 0 obj <<>>", b"1 0 obj <</Filter/FlateDecode/First 8>>"),
    ):
        assert read_paper(plain, "a.pdf").body == plain
    link = b'<Relationship Type="http://x/relationships/hyperlink" Target="https://www.gov.cn" TargetMode="External"/>'
    plain = office(more={"word/_rels/document.xml.rels": link})
    assert read_paper(plain, "a.docx").body == plain
    table = "日期,里程\n3月2日,-12\n说明,a|b\n".encode()
    assert read_paper(table, "a.csv").body == table


def test_positions_leave_pictures() -> None:
    taken = (
        JPEG[:2]
        + EXIF
        + JPEG[2:-2].replace(FRAME, segment(0xFE, b"by Wang") + FRAME)
        + b"\xff\xd9"
        + EXIF
        + b"tail"
    )
    assert read_paper(taken, "a.jpg").body == JPEG
    told = PNG.replace(
        chunk(b"IDAT", b"x"), chunk(b"eXIf", b"GPS") + chunk(b"tEXt", b"Author\0W") + chunk(b"IDAT", b"x")
    )
    assert read_paper(told + b"tail", "a.png").body == PNG


@given(
    st.binary(max_size=400),
    st.sampled_from((JPEG, PNG, office(), PDF, b"")),
    st.randoms(use_true_random=False),
)
def test_any_bytes_are_taken_or_refused(noise: bytes, good: bytes, chance: random.Random) -> None:
    at = chance.randrange(len(good) + 1)
    data = good[:at] + noise + good[at + chance.randrange(1 + len(noise)) :]
    for name in ("a.jpg", "a.png", "a.docx", "a.pdf", "a.txt"):
        try:
            body = read_paper(data, name).body
        except PaperError:
            continue
        assert b"Exif\0\0" not in body or name not in ("a.jpg", "a.png")


def test_a_caller_is_opened_with_its_key_at_its_complaint_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(NoKeyError, match="openssl rand"):
        load_key(settings)
    path = key_file(settings)
    path.write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
    path.chmod(0o644)
    with pytest.raises(NoKeyError, match="chmod 600"):
        load_key(settings)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    key, caller = load_key(settings), Caller("王某", "13800000000")
    sealed = key.seal("one", caller)
    assert "王某".encode() not in sealed
    assert key.seal("one", caller) != sealed
    assert key.open("one", sealed, key.id) == caller
    for complaint, body, id in (
        ("two", sealed, key.id),
        ("one", sealed[:-1] + bytes([sealed[-1] ^ 1]), key.id),
        ("one", sealed, "other"),
    ):
        with pytest.raises(NoKeyError):
            key.open(complaint, body, id)
    path.write_text("c2hvcnQ=")
    with pytest.raises(NoKeyError, match="32"):
        load_key(settings)


def test_a_sample_is_the_seeds() -> None:
    ids = [f"car-{k}" for k in range(500)]
    drawn = sample(ids, "2026-Q1", 20)
    assert drawn == sample(ids[::-1], "2026-Q1", 20)
    assert sample(ids, "2026-Q1", 25)[:20] == drawn
    assert len(set(drawn)) == 20
    assert drawn != sample(ids, "2026-Q2", 20)
    assert drawn[:3] == [
        "car-395",
        "car-1",
        "car-13",
    ]  # of this release: whoever checks it later finds the same


def test_texts_of_people_have_limits() -> None:
    good = {"title": "t", "facts": "一\n二", "organisation": "jsj", "source": "joint"}
    assert CaseContents.model_validate(good).facts == "一\n二"
    for bad in (
        {"facts": "a\0b"},
        {"facts": "x" * 10_001},
        {"title": "\n"},
        {"facts": "\u202e\x1b["},
        {"alerts": ["x"]},
        {"facts": "  "},
    ):
        with pytest.raises(ValidationError):
            CaseContents.model_validate(good | bad)
    with pytest.raises(ValidationError):
        CaseNote.model_validate({"version": 1, "text": "锟斤拷"})


def test_a_finding_is_whole() -> None:
    base = {"version": 7, "evidence": "台账与轨迹一致"}
    assert CaseClose.model_validate(base | {"finding": "justified"})
    assert CaseClose.model_validate(base | {"finding": "data", "cause": "fence"})
    for bad in (
        {"finding": "violation"},
        {"finding": "data"},
        {"finding": "justified", "cause": "fence"},
        {"finding": "other"},
    ):
        with pytest.raises(ValidationError):
            CaseClose.model_validate(base | bad)
