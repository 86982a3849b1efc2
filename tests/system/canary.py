"""Look for personal data where none may be: every byte that the platform left on disk, and what it shows on request.

The needles are names, identity numbers and accounts of persons who went through the platform. Sealed columns hold
ciphertext, so a needle in clear in any file (tables, write-ahead log, streams, logs, uploads, traces) is a leak.
"""

from __future__ import annotations

import base64
import mmap
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def forms(text: str) -> Iterator[bytes]:
    """How a text may stand in a file: plain, in hex, in base64 at each of its three alignments, escaped in JSON."""
    plain = text.encode()
    yield plain
    yield plain.hex().encode()
    yield text.encode("utf-16-le")
    if not text.isascii():
        yield text.encode("unicode_escape")
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain)
        yield encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4]


def leaks(directory: Path, needles: Iterable[str]) -> list[str]:
    """Files below a directory that hold one of the needles in any of its forms."""
    wanted = [(needle, form) for needle in needles for form in forms(needle)]
    found: list[str] = []
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 - os.walk gives text, and there are thousands of files
            if os.path.islink(path) or not os.path.isfile(path) or not os.path.getsize(path):  # noqa: PTH113, PTH114, PTH202 - the same
                continue
            with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:  # noqa: PTH123 - the same
                found += [f"{needle[:2]}… in {path}" for needle, form in wanted if content.find(form) >= 0]
    return found
