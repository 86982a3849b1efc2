"""The law as it was known (政策快照): the content of the policy files as one text, which its SHA-256 finds again.

The text holds everything that parameters are read from, the bureau's local values included; the register of sources
is left out, since no amount depends on the title of a document. A snapshot is that text compressed. Its hash is the
version that every calculation names, so what is kept once serves all of them.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

MOST_BYTES = 16 * 2**20  # of text; the files of a release are a hundredth of it


class SnapshotTampered(Exception):  # noqa: N818 - it names the state of the content
    """What is kept under a version is not what had this version."""

    def __init__(self, version: str) -> None:
        super().__init__(f"the snapshot of law {version} is not what its hash says")
        self.version = version


def canonical(plain: Mapping[str, Any], local: Any) -> str:
    """One text for one content: keys sorted, no blanks, days as text."""
    content = {"files": plain, "local": local}
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def pack(text: str) -> bytes:
    """A snapshot to keep."""
    return zlib.compress(text.encode(), 9)


def unpack(data: bytes, version: str) -> str:
    """The text of a snapshot, once its hash is that of the version it is kept under.

    Raises:
        SnapshotTampered: It is not, or it cannot be read at all.
    """
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(data, MOST_BYTES)
    except zlib.error:
        raise SnapshotTampered(version) from None
    if not reader.eof or reader.unused_data or hashlib.sha256(content).hexdigest() != version:
        raise SnapshotTampered(version)
    return content.decode()


def restored(text: str) -> tuple[dict[str, Any], Any]:
    """Files and local values as the YAML files gave them: days are days again, and years of a table are numbers."""
    content = json.loads(text)
    files, local = content["files"], content["local"]
    for file in files.values():
        for parameter in file["parameters"]:
            if isinstance(years := parameter.get("years"), dict):
                parameter["years"] = {int(year): value for year, value in years.items()}
            for row in parameter.get("values", ()):
                _days(row, "from", "to")
    for entry in (local or {}).get("entries", ()):
        _days(entry, "from", "to", "decided")
    return files, local


def cited(plain: Any) -> Iterator[str]:
    """Every source that a content cites; some more than once."""
    if isinstance(plain, dict):
        for key, value in plain.items():
            if key == "source" and isinstance(value, list):
                yield from value
            else:
                yield from cited(value)
    elif isinstance(plain, list):
        for one in plain:
            yield from cited(one)


def _days(row: dict[str, Any], *names: str) -> None:
    for name in names:
        if row.get(name) is not None:
            row[name] = date.fromisoformat(row[name])
