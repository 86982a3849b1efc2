"""Cards by the batch as values: where a batch stands, its parts, and how its digests are made; pure."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from kernel import ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

PART_ROWS = 1_000  # two messages of facts, a tenth of a second of work
_ID_BYTES = 16


class Source(StrEnum):
    """Where the rows of a batch come from."""

    FILE = "FILE"
    REGISTER = "REGISTER"


class BatchState(StrEnum):
    """Where a batch stands."""

    PREPARING = "PREPARING"
    PREPARED = "PREPARED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class CreateBatch:
    """Prepare a batch; of a file, the upload and the digest of its content."""

    source: Source
    upload_id: str = ""
    file_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class ApproveBatch:
    """Approve a batch as it was looked at."""

    batch_id: UUID
    digest: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as its row says."""

    batch_id: UUID
    source: Source
    upload_id: str | None
    file_digest: bytes | None
    state: BatchState
    maker: str
    create_date: date
    prepare_job: UUID
    issue_job: UUID | None
    row_count: int
    left_out: Mapping[str, int]
    digest: bytes | None
    approval_id: UUID | None

    @property
    def text_id(self) -> str:
        """The id as it is shown."""
        return ids.to_text("cbt", self.batch_id)


@dataclass(frozen=True, slots=True)
class Found:
    """What the dry run found, of a part or of all."""

    ready: int = 0
    rejected: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one chunk: lines of a file, or persons; personal data, so they are not printed."""

    number: int
    first_row: int
    lines: Sequence[str] = field(default=(), repr=False)
    repeated: frozenset[int] = frozenset()  # rows that name somebody whom an earlier row of the file named
    persons: Sequence[UUID] = ()

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self.lines) or len(self.persons)

    def packed(self) -> bytes:
        """The rows as they are kept, before they are sealed."""
        if self.persons:
            return b"".join(person.bytes for person in self.persons)
        return zlib.compress(json.dumps([list(self.lines), sorted(self.repeated)]).encode(), 1)


def unpacked(number: int, first_row: int, data: bytes, source: Source) -> Part:
    """The rows of a part as they were kept."""
    if source is Source.REGISTER:
        persons = [UUID(bytes=data[at : at + _ID_BYTES]) for at in range(0, len(data), _ID_BYTES)]
        return Part(number, first_row, persons=persons)
    lines, repeated = json.loads(zlib.decompress(data))
    return Part(number, first_row, lines, frozenset(repeated))


def digest_of(*parts: Iterable[bytes] | bytes) -> bytes:
    """SHA-256 over values, each with its length, so that no two lists of them are the same text."""
    made = hashlib.sha256()
    for part in parts:
        for value in [part] if isinstance(part, bytes) else part:
            made.update(len(value).to_bytes(4, "big") + value)
    return made.digest()
