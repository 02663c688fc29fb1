"""Checks the bundle of a case: no database, no settings, nothing but the file. What differs is named, file by file and row by row.

The file may come from anybody. What is no bundle, or made to do harm (names that lead elsewhere, one name twice, contents that
unpack to more than is said), is refused as a whole: ``BundleRefusedError`` says why by a code.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from office.integrity.blocks import DIGEST, Block, flaws, pretty, sha256, sm3
from office.integrity.bundle import FORMAT, NAME, ROWS, as_record, view
from office.integrity.signing import NamedKey, PublicKey, reached
from office.integrity.streams import BY_NAME
from office.integrity.tracks import ROW, stretches
from runtime.errors import GongcheError
from runtime.faults import of_one_fact

MOST_FILES: Final = 10_000
#: An office changes its key now and then; each one that is listed costs the check of a signature.
MOST_KEYS: Final = 1_000
#: Unpacked: of one file, and of all.
MOST_FILE_BYTES: Final = 64 << 20
MOST_BYTES: Final = 1 << 30
_PIECE: Final = 1 << 20
#: What must be there.
NEEDED: Final = (
    "case.json", "keys.json", "manifest.json", "proofs.json", *(f"rows/{stream.name}.jsonl" for stream, _ in ROWS)
)  # fmt: skip


class BundleRefusedError(GongcheError):
    """No bundle, or one that must not be unpacked. ``reason``: not-a-zip, damaged, too-many-files, too-many-keys, too-large, name, twice,
    encrypted, method, missing, format."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"案卷包被拒绝 / the bundle is refused ({reason}): {message}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Flaw:
    """What differs: ``name``: of a file, or of a row (stream, key) or block."""

    name: str
    what: str


@dataclass(slots=True)
class Checked:
    """A bundle that was checked. ``unsealed``: rows that were in no block yet; ``keys``: ids of the keys that signed;
    ``unjudged``: evaluations of a version of a rule that this program does not have; ``signed``: whether the list of files is
    signed: without that nothing but its rows, evidence and attachments is proven."""

    case: str = ""
    files: int = 0
    rows: int = 0
    unsealed: int = 0
    unjudged: int = 0
    signed: bool = False
    keys: list[str] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)


def check_bundle(path: Path, trusted: str | None = None) -> Checked:
    """Check the file. ``trusted``: id of the key that must have signed, or must have named the one that did. Raises
    BundleRefusedError."""
    try:
        with zipfile.ZipFile(path) as zipped:
            return _Check(_unpacked(zipped), trusted).run()
    except OSError as error:
        raise BundleRefusedError("not-a-zip", f"{path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        reason = "damaged" if zipfile.is_zipfile(path) else "not-a-zip"
        raise BundleRefusedError(reason, f"{path}: {error}") from error


def _unpacked(zipped: zipfile.ZipFile) -> dict[str, bytes]:
    """The files by name, each looked at before a byte of it is unpacked."""
    members = zipped.infolist()
    if len(members) > MOST_FILES:
        raise BundleRefusedError("too-many-files", f"{len(members)}, at most {MOST_FILES}")
    said = 0
    names: set[str] = set()
    for member in members:
        name = member.filename
        if NAME.fullmatch(name) is None:
            raise BundleRefusedError("name", repr(name[:200]))
        if name in names:
            raise BundleRefusedError("twice", name)
        if member.flag_bits & 1:
            raise BundleRefusedError("encrypted", name)
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleRefusedError("method", name)
        names.add(name)
        said += member.file_size
        if member.file_size > MOST_FILE_BYTES or said > MOST_BYTES:
            raise BundleRefusedError("too-large", name)
    if lacking := [name for name in NEEDED if name not in names]:
        raise BundleRefusedError("missing", ", ".join(lacking))
    return {member.filename: _read(zipped, member) for member in members}


def _read(zipped: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A file, no longer than it said."""
    pieces, length = [], 0
    with zipped.open(member) as file:
        while piece := file.read(_PIECE):
            length += len(piece)
            if length > member.file_size:
                raise BundleRefusedError("too-large", member.filename)
            pieces.append(piece)
    return b"".join(pieces)


def _json(files: Mapping[str, bytes], name: str) -> Any:
    try:
        return json.loads(files[name])
    except (ValueError, RecursionError) as error:
        raise BundleRefusedError("format", f"{name}: {error}") from error


class _Check:
    def __init__(self, files: dict[str, bytes], trusted: str | None) -> None:
        self._files, self._trusted = files, trusted
        self._made = Checked()
        self._keys: dict[str, PublicKey] = {}
        self._used: set[str] = set()
        self._rows: dict[str, list[bytes]] = {}

    def run(self) -> Checked:
        try:
            self._manifest()
            self._read_keys()
            proofs = _json(self._files, "proofs.json")
            for stream, _ in ROWS:
                self._chain(stream.name, proofs[stream.name])
            self._thread()
            self._contents()
            self._told()
            self._judgements()
            self._trust()
        except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as error:
            raise BundleRefusedError("format", repr(error)[:500]) from error
        return self._made

    def _flaw(self, name: str, what: str) -> None:
        self._made.flaws.append(Flaw(name, what))

    def _manifest(self) -> None:
        manifest = _json(self._files, "manifest.json")
        if manifest["format"] != FORMAT:
            raise BundleRefusedError("format", f"not {FORMAT}")
        self._made.case = str(manifest["case"])
        listed = manifest["files"]
        for name in sorted(listed.keys() - self._files.keys()):
            self._flaw(name, "文件缺失 · the file is missing")
        for name, content in self._files.items():
            if name in ("manifest.json", "signature.json"):
                continue
            self._made.files += 1
            said = listed.get(name)
            if said is None:
                self._flaw(name, "清单中没有的文件 · the file is not in the list")
            elif (said["size"], said["sha256"], said["sm3"]) != (
                len(content), sha256(content).hex(), sm3(content).hex()
            ):  # fmt: skip
                self._flaw(name, "文件被改动 · the file was changed")
        if "signature.json" in self._files:
            signed = _json(self._files, "signature.json")
            key = PublicKey(bytes.fromhex(signed["public"]))
            if not key.signed_bundle(self._files["manifest.json"], bytes.fromhex(signed["signature"])):
                self._flaw("manifest.json", "签名不符 · its signature does not hold")
            self._used.add(key.id)
            self._made.signed = True

    def _read_keys(self) -> None:
        rows = _json(self._files, "keys.json")
        if len(rows) > MOST_KEYS:
            raise BundleRefusedError("too-many-keys", f"{len(rows)}, at most {MOST_KEYS}")
        named = list[NamedKey]()
        for row in rows:
            key = PublicKey(bytes.fromhex(row["public"]))
            signature = None if row["signature"] is None else bytes.fromhex(row["signature"])
            named.append(NamedKey(row["id"], key.public, row["previous"], signature))
            if key.id != row["id"]:
                self._flaw("keys.json", f"公钥与编号不符 · the public key is not {row['id']}")
            self._keys[key.id] = key
        # The first key is the one without a key before it: where it stands in the list follows from a clock.
        self._allowed = reached(named, self._trusted)

    def _trust(self) -> None:
        self._made.keys = sorted(self._used)
        for key in self._made.keys:
            if key not in self._allowed:
                self._flaw(
                    f"key {key}",
                    "不是所信任的密钥，也未经其确认 · it is not the trusted key, nor named by it",
                )

    def _chain(self, name: str, proof: Mapping[str, Any]) -> None:
        content = self._files[f"rows/{name}.jsonl"]
        texts = content.split(b"\n")
        if texts.pop() != b"":
            self._flaw(f"rows/{name}.jsonl", "末行不完整 · the last line is cut off")
        self._rows[name] = texts
        blocks = {
            int(number): Block(
                name, int(number), b["header"], None, bytes.fromhex(b["sha256s"]), bytes.fromhex(b["sm3s"]), b["key"],
                bytes.fromhex(b["signature"]),
            )
            for number, b in proof["blocks"].items()
        }  # fmt: skip
        for number, block in blocks.items():
            before = blocks.get(number - 1)
            wrong = flaws(block, None if before is None else (before.sha256, before.sm3))
            key = self._keys.get(block.key_id)
            if key is None or not key.signed_block(block.header, block.signature):
                wrong.append("签名不符 · the signature does not hold")
            self._used.add(block.key_id)
            if wrong:
                self._flaw(f"{name} block {number}", "; ".join(wrong))
        if len(proof["rows"]) != len(texts):
            self._flaw(f"rows/{name}.jsonl", "行数与封存证明不符 · rows were put in or taken out")
        for place, text in enumerate(texts):
            self._made.rows += 1
            sealed = proof["rows"][place] if place < len(proof["rows"]) else None
            if sealed is None:
                self._made.unsealed += 1
                continue
            block, at = blocks[sealed[0]], sealed[1] * DIGEST
            if at < 0 or (block.sha256s[at : at + DIGEST], block.sm3s[at : at + DIGEST]) != (
                sha256(text),
                sm3(text),
            ):
                self._flaw(f"{name} {self._key(name, text, place)}", "行被改动 · the row was changed")

    def _key(self, name: str, text: bytes, place: int) -> str:
        try:
            return BY_NAME[name].key_of(text)
        except (ValueError, TypeError, RecursionError):
            return f"#{place + 1}"

    def _records(self, name: str) -> list[dict[str, Any]]:
        """The rows that can be read; the others are changed, which is said already."""
        found = []
        for text in self._rows[name]:
            try:
                found.append(as_record(BY_NAME[name], text))
            except (ValueError, TypeError, RecursionError):
                continue
        return found

    def _thread(self) -> None:
        """The thread of a case is whole: its events are numbered from 1 on."""
        versions = [row["version"] for row in self._records("case_events")]
        if versions != list(range(1, len(versions) + 1)):
            self._flaw("rows/case_events.jsonl", "经过不完整或次序有误 · events are missing, or not in order")
        if any(row["case_id"] != self._made.case for row in self._records("case_events")):
            self._flaw("rows/case_events.jsonl", "含其他督办单的经过 · events of another case")

    def _contents(self) -> None:
        """Evidence, attachments and positions are what their rows say."""
        for stream, folder, ending, column in (
            ("evidence", "evidence", ".json", "body"), ("attachments", "attachments", "", "body"), ("positions", "positions", ".bin", "rows")
        ):  # fmt: skip
            key = BY_NAME[stream].key[0][0]
            for row in self._records(stream):
                name = f"{folder}/{row[key]}{ending}"
                content = self._files.get(name)
                if content is None:
                    self._flaw(name, "文件缺失 · the file is missing")
                elif (digest := sha256(content).hex()) != row[column]:
                    self._flaw(name, "与封存的摘要不符 · it is not what was sealed")
                elif stream == "evidence" and (
                    row["sha256"] != digest or (row["sm3"] and row["sm3"] != sm3(content).hex())
                ):
                    self._flaw(name, "证据摘要不符 · its own hashes are others")
        for row in self._records("positions"):
            self._listed(row)

    def _listed(self, row: Mapping[str, Any]) -> None:
        """The fixes of evidence are in the list of its positions."""
        body = self._files.get(f"evidence/{row['sha256']}.json")
        listed = self._files.get(f"positions/{row['sha256']}.bin")
        if body is None or listed is None or len(listed) % ROW.itemsize:
            return
        known = set(np.frombuffer(listed, ROW)["fingerprint"].tolist())
        try:
            lacking = sum(fingerprint not in known for one in stretches(body) for _, fingerprint in one.fixes)
        except (ValueError, TypeError, RecursionError):
            return
        if lacking > row["absent"]:
            self._flaw(
                f"positions/{row['sha256']}.bin",
                "缺少证据所用的定位 · positions of the evidence are not in it",
            )

    def _told(self) -> None:
        """What is for people follows from the rows."""
        told = _json(self._files, "case.json")
        try:
            same = pretty(view(told["case"], self._rows)) == self._files["case.json"]
        except (KeyError, TypeError, ValueError, RecursionError):
            same = False
        if not same:
            self._flaw("case.json", "与各行内容不符 · it is not what the rows say")
        versions = self._records("case_events")
        if versions and told["case"].get("version") != versions[-1]["version"]:
            self._flaw("case.json", "版本与经过不符 · its version is not that of its thread")

    def _judgements(self) -> None:
        """Each judgement follows from its evidence."""
        from rules.catalogue import verify
        from rules.evidence import UnknownVersionError

        for row in self._records("evaluations"):
            body = self._files.get(f"evidence/{row['evidence_sha256']}.json")
            if body is None:
                continue
            name = f"evaluations {[row['id'], row['evaluated_at']]}"
            try:
                wrong = verify(
                    body, outcome=row["outcome"], measures=row["measures"], sha256=row["evidence_sha256"]
                )
            except UnknownVersionError:
                self._made.unjudged += 1
                continue
            except Exception as error:
                if not of_one_fact(error):
                    raise
                wrong = [f"证据无法重判 · the evidence cannot be judged: {error!r}"]
            if wrong:
                self._flaw(name, "; ".join(wrong))
