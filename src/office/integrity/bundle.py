"""The bundle of a case: one ZIP file with everything that the case rests on, that can be checked without a database.

The rows are in it as the texts that were hashed, each with the block that it is in and that block's signature. What is for people
(case.json, GeoJSON, documents) stands beside them, and follows from them. Callers of the hotline are not in it. The same case gives
the same bytes. ``bundle_check`` is the other side.
"""

from __future__ import annotations

import asyncio
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any, Final

from office.integrity.blocks import DIGEST, pretty, sha256, sm3
from office.integrity.signing import SigningKey
from office.integrity.streams import BY_NAME, Stream
from rules.evidence import parse
from runtime.connection import Connection
from runtime.faults import of_one_fact

FORMAT: Final = "gongche-case-bundle/1"
#: Names of files in a bundle: a folder at most.
NAME: Final = re.compile(r"[a-z]+/[\w-][\w.-]{0,150}|[a-z]+\.json")
#: Evaluations of an alert that are taken, the newest first.
_MOST_EVALUATIONS: Final = 1_000
_WRITTEN: Final = (1980, 1, 1, 0, 0, 0)

#: Draws evidence: (alert, version, SHA-256, evidence, SM3) to GeoJSON.
Draw = Callable[[str, int, str, dict[str, Any], str | None], dict[str, Any]]

#: What is in a bundle, as a condition on the row t; $1 = the case. Evidence of alerts is kept in a table of its own.
_ALERTS: Final = "SELECT l.ref FROM case_links l WHERE l.case_id = $1 AND l.kind = 'alert'"
_EVIDENCE: Final = f"SELECT v.evidence_sha256 FROM alert_versions v WHERE v.alert_id IN ({_ALERTS})"  # noqa: S608 - constants
ROWS: Final[tuple[tuple[Stream, str], ...]] = (
    (BY_NAME["case_events"], "t.case_id = $1"),
    (BY_NAME["attachments"], "t.case_id = $1"),
    (BY_NAME["labels"], "t.case_id = $1"),
    (BY_NAME["alerts"], f"t.alert_id IN ({_ALERTS})"),
    (BY_NAME["feed"], f"t.alert_id IN ({_ALERTS})"),
    (BY_NAME["receipts"], f"t.alert_id IN ({_ALERTS})"),
    (BY_NAME["dispositions"], f"t.alert_id IN ({_ALERTS})"),
    (
        BY_NAME["evaluations"],
        f"t.id IN (SELECT e.id FROM alerts a JOIN evaluations e ON e.rule = a.rule AND e.subject = a.subject"  # noqa: S608 - constants
        f" WHERE a.id IN ({_ALERTS}) ORDER BY e.id DESC LIMIT {_MOST_EVALUATIONS})",
    ),
    (replace(BY_NAME["evidence"], table="evidence_of_alerts"), f"t.sha256 IN ({_EVIDENCE})"),
    (BY_NAME["positions"], f"t.sha256 IN ({_EVIDENCE})"),
)


class _Packer:
    """A ZIP file that is the same for the same files in the same order."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, content: bytes) -> None:
        """Raises ValueError for a name that no bundle may have."""
        if NAME.fullmatch(name) is None or name in self.files:
            raise ValueError(name)
        self.files[name] = {
            "size": len(content),
            "sha256": sha256(content).hex(),
            "sm3": sm3(content).hex(),
        }
        self.write(name, content)

    def write(self, name: str, content: bytes) -> None:
        about = zipfile.ZipInfo(name, _WRITTEN)
        about.compress_type, about.create_system, about.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
        self._zip.writestr(about, content)

    def close(self) -> None:
        self._zip.close()


def as_record(stream: Stream, text: bytes) -> dict[str, Any]:
    """The text of a row as an object of its columns."""
    names = [name for name, _ in stream.key] + list(stream.columns)
    return dict(zip(names, json.loads(text), strict=True))


def view(case: Mapping[str, Any], rows: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
    """``case.json``: what the rows say, for people and programs."""
    told = {
        name: [as_record(BY_NAME[name], text) for text in texts]
        for name, texts in rows.items()
        if name != "positions"
    }
    thread = told.pop("case_events")
    return {"case": dict(case), "thread": thread, "facts": _facts(thread), **told}


def _facts(thread: Sequence[Mapping[str, Any]]) -> Any:
    """What is held against the unit, as it was last written."""
    for event in reversed(thread):
        body = event["body"]
        if isinstance(body, dict) and "facts" in body:
            return body["facts"]
    return None


async def write_bundle(
    connection: Connection,
    case_id: str,
    file: IO[bytes],
    *,
    draw: Draw,
    documents: Mapping[str, bytes] | None = None,
    key: SigningKey | None = None,
) -> bool:
    """Write the bundle of a case to ``file``; whether there is such a case. ``documents``: by name, such as ``督办单.pdf``;
    ``key`` signs the list of files, where this machine has it. In a transaction. Raises ValueError for a name
    of a document that cannot be one.
    """
    case = await connection.fetchval(
        "SELECT to_jsonb(c) - 'look_on' - 'yellow_from' FROM cases c WHERE c.id = $1", case_id
    )
    if case is None:
        return False
    packer = _Packer(file)
    rows, proofs = dict[str, list[bytes]](), dict[str, Any]()
    for stream, condition in ROWS:
        found = await connection.fetch(
            f"SELECT {stream.text('t')} AS text FROM {stream.table} t WHERE {condition}"  # noqa: S608 - our own names
            f" ORDER BY {', '.join('t.' + name for name, _ in stream.key)}",
            case_id,
        )
        texts = [row["text"].encode() for row in found]
        if stream.name == "case_events":  # the bundle is of one version, also where no snapshot holds
            texts = [text for text in texts if json.loads(text)[1] <= case["version"]]
        rows[stream.name] = texts
        proofs[stream.name] = await _proof(connection, stream, texts)
        await asyncio.to_thread(
            packer.add, f"rows/{stream.name}.jsonl", b"".join(text + b"\n" for text in texts)
        )
    await asyncio.to_thread(packer.add, "case.json", pretty(view(case, rows)))
    await asyncio.to_thread(packer.add, "proofs.json", pretty(proofs))
    keys = await connection.fetch("SELECT * FROM seal_public_keys()")
    told = [
        {"id": k["id"], "public": k["public"].hex(), "previous": k["previous"],
         "signature": None if k["signature"] is None else k["signature"].hex()}
        for k in keys
    ]  # fmt: skip
    await asyncio.to_thread(packer.add, "keys.json", pretty(told))
    await _add_evidence(connection, packer, rows, draw)
    for text in rows["attachments"]:
        id = json.loads(text)[0]
        body = await connection.fetchval("SELECT body FROM case_attachments WHERE id = $1", id)
        await asyncio.to_thread(packer.add, f"attachments/{id}", body)
    for name, content in sorted((documents or {}).items()):
        await asyncio.to_thread(packer.add, f"documents/{name}", content)
    manifest = pretty({
        "format": FORMAT, "case": case_id, "number": case["number"], "version": case["version"], "files": packer.files,
    })  # fmt: skip
    packer.write("manifest.json", manifest)
    if key is not None:
        signed = {
            "id": key.id,
            "public": key.public.public.hex(),
            "signature": key.sign_bundle(manifest).hex(),
        }
        packer.write("signature.json", pretty(signed))
    packer.close()
    return True


async def _add_evidence(
    connection: Connection, packer: _Packer, rows: Mapping[str, Sequence[bytes]], draw: Draw
) -> None:
    """Evidence, as it was frozen and drawn, and the lists of its positions."""
    alerts = {str(v["evidence_sha256"]): v for v in (as_record(BY_NAME["alerts"], t) for t in rows["alerts"])}
    for text in rows["evidence"]:
        row = as_record(BY_NAME["evidence"], text)
        digest = row["sha256"]
        body = await connection.fetchval(
            "SELECT body FROM evidence_of_alerts WHERE sha256 = $1", bytes.fromhex(digest)
        )
        await asyncio.to_thread(packer.add, f"evidence/{digest}.json", body)
        of = alerts[digest]
        try:
            drawn = await asyncio.to_thread(
                draw, of["alert_id"], of["version"], digest, parse(body), row["sm3"]
            )
        except Exception as error:
            if not of_one_fact(error):
                raise
            continue  # of another release, or damaged: the evidence itself is there all the same
        await asyncio.to_thread(packer.add, f"geo/{digest}.geojson", pretty(drawn))
    for text in rows["positions"]:
        digest = json.loads(text)[0]
        listed = await connection.fetchval(
            "SELECT rows FROM evidence_positions WHERE sha256 = $1", bytes.fromhex(digest)
        )
        await asyncio.to_thread(packer.add, f"positions/{digest}.bin", listed)


async def _proof(connection: Connection, stream: Stream, texts: Sequence[bytes]) -> dict[str, Any]:
    """Where each row is sealed ([block, place], null = it is not yet), and those blocks."""
    keys = [stream.key_of(text) for text in texts]
    found = await connection.fetch("SELECT * FROM seal_proofs($1, $2)", stream.name, keys)
    places: dict[str, list[int]] = {}
    blocks: dict[str, Any] = {}
    wanted = dict(zip(keys, texts, strict=True))
    for row in found:
        at = row["place"] * DIGEST
        digest = row["sha256s"][at : at + DIGEST]
        if row["key"] in places and digest != sha256(wanted[row["key"]]):
            continue
        places[row["key"]] = [row["number"], row["place"]]
        blocks[str(row["number"])] = {
            "header": row["header"],
            "sha256s": row["sha256s"].hex(),
            "sm3s": row["sm3s"].hex(),
            "key": row["key_id"],
            "signature": row["signature"].hex(),
        }
    used = {str(place[0]) for place in places.values()}
    return {
        "rows": [places.get(key) for key in keys],
        "blocks": {number: block for number, block in blocks.items() if number in used},
    }
