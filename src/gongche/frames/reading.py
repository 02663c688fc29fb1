"""Frames that were found, explained; who speaks and the packages of a message are remembered from frame to frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from gongche.frames.rendering import trouble
from gongche.frames.runs import Found, Kind
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.header import Header, Version
from telemetry.jt808.scalar.reassembly import Complete, Reassembler
from telemetry.jt808.tables.explain import (
    Explanation,
    Speaker,
    explain_message,
    explain_segment,
    explain_whole,
)

#: Terminals whose packages are put together at once.
_MAX_PHONES: Final = 256


class Reader:
    """Explains what was found, and remembers of each terminal its edition and the packages of its messages."""

    def __init__(self, edition: Version | None, known: Speaker | None = None) -> None:
        """``edition``: whatever the content says; ``known``: who speaks, as long as it says nothing itself."""
        self._forced = Speaker(edition)
        self._known = known
        self._speakers: dict[str, Speaker] = {}
        self._packages: dict[tuple[str, bool], Reassembler] = {}

    def read(self, found: Found) -> Iterator[tuple[Found, Explanation]]:
        """``found`` explained, and the message that it completes."""
        if found.kind is Kind.JUNK:
            yield found, Explanation(found.data, problems=[trouble(found)])
            return
        if found.kind is Kind.BARE:
            told = _bare(found.data, self._forced)
        else:
            told = explain_segment(found.data, self._forced)
            if told.header is not None and (speaker := self._speaker(told, told.header)) is not None:
                told = explain_segment(found.data, speaker)
        if found.lost:
            told.problems.insert(
                0, f"抓包缺少此前 {found.lost} 字节|{found.lost} bytes before it are not in the capture"
            )
        if found.kind is not Kind.FRAME:
            told.problems.insert(0, trouble(found))
        header = told.header
        whole: list[tuple[Found, Explanation]] = []
        if header is not None and header.total > 1 and not told.problems and not header.encryption:
            whole = list(self._completed(found, told, header))
        yield found, told
        yield from whole

    def _speaker(self, told: Explanation, header: Header) -> Speaker | None:
        """Who the terminal said it is when it registered, as far as that is more than its header says."""
        introduced = told.introduced
        if introduced is not None:
            if len(self._speakers) >= _MAX_PHONES:
                self._speakers.pop(next(iter(self._speakers)))
            self._speakers[header.phone] = introduced
            return None
        speaker = self._speakers.get(header.phone, self._known)
        return speaker and replace(speaker, edition=self._forced.edition or speaker.edition)

    def _completed(
        self, found: Found, told: Explanation, header: Header
    ) -> Iterator[tuple[Found, Explanation]]:
        key = header.phone, header.id >= 1 << 15
        if key not in self._packages and len(self._packages) >= _MAX_PHONES:
            self._packages.pop(next(iter(self._packages)))
        reassembler = self._packages.setdefault(key, Reassembler())
        taken = reassembler.add(header, told.body, 0.0)
        if isinstance(taken, Complete):
            yield found, explain_whole(taken.headers, taken.body, told.speaker)
        elif isinstance(taken, Rejection):
            told.problems.append(f"无法合成：{taken.detail}|not put together: {taken.detail}")

    def incomplete(self) -> int:
        return sum(bool(each.parts_held) for each in self._packages.values())


def _bare(data: bytes, speaker: Speaker) -> Explanation:
    """A message without delimiters: escaped, with its checksum, or without."""
    told = explain_segment(data, speaker)
    if told.problems:
        plain = Explanation(data, speaker)
        explain_message(plain, data)
        if not plain.problems:
            plain.problems.append("没有校验码|no checksum")
            return plain
    return told
