"""The chain of the audit: how a row becomes a link, and what a checkpoint signs.

The hash of a row covers the hash before it, its number and its text; so whoever changes, removes, adds or swaps one
row has to compute every later hash anew, and then the next checkpoint, which is signed and lies elsewhere, differs.
The first byte of a hash names its function, so that both stand in one chain when the profile of a site changes.

A checkpoint signs the head of the chain. Beside it, in the file outside, stand its marks: four bytes of each hash. They
prove nothing by themselves (their digest is signed), but they name the row with which a chain computed anew begins to
differ; the head alone would name ten thousand.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

ROWS_MAX = 10_000  # of one checkpoint
EVERY_SECONDS = 60.0
MARK_BYTES = 4
HASH_BYTES = 33
SIGNATURE_BYTES = 64

# By the crypto profile of the site (I or G): the byte in the hash, and the function.
FUNCTIONS = {1: "sha256", 2: "sm3"}
OF_PROFILE = {"I": 1, "G": 2}

# A row as text: JSON, in which no two rows look alike. Never changed: a new column begins a new text for new rows.
TEXT = """json_build_array(
    audit.seq, (extract(epoch FROM audit.at) * 1000000)::bigint, audit.subject, audit.client, audit.acting_person,
    audit.method, audit.action, audit.purpose, audit.case_no, audit.person_id, audit.request_id,
    encode(audit.body_digest, 'hex'), audit.detail, audit.trace_id
)::text"""


class CheckpointWrong(Exception):  # noqa: N818 - read as a sentence
    """A text that is no checkpoint."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a chain at one row, signed.

    Args:
        service: Whose chain.
        number: 1, 2, 3 and so on.
        first: Number of the first row that is new in it.
        last: Number of its last row.
        head: Hash of the last row.
        marks_digest: SHA-256 of the marks of its rows.
        previous: SHA-256 of the body of the checkpoint before; empty for the first.
        at: When it was made.
        body: The text that is signed; everything above stands in it.
        signature: Ed25519.
        marks: Four bytes of each of its hashes; only in a file outside.
    """

    service: str
    number: int
    first: int
    last: int
    head: bytes
    marks_digest: bytes
    previous: bytes
    at: str
    body: str = field(repr=False)
    signature: bytes = field(repr=False)
    marks: bytes = field(default=b"", repr=False)

    @property
    def digest(self) -> bytes:
        """What the next one names as the one before it."""
        return hashlib.sha256(self.body.encode()).digest()


def genesis(service: str) -> bytes:
    """What stands before the first row."""
    return bytes(1) + hashlib.sha256(f"hrss audit {service}".encode()).digest()


def link(previous: bytes, number: int, text: str, function: int) -> bytes:
    """The hash of a row.

    Raises:
        ValueError: This machine does not have the function.
    """
    content = previous + number.to_bytes(8, "big") + text.encode()
    return bytes((function,)) + _new(function)(content).digest()


def links(previous: bytes, first: int, texts: Iterable[str], function: int) -> list[bytes]:
    """The hashes of rows that follow each other."""
    made = []
    new, mark = _new(function), bytes((function,))
    for number, text in enumerate(texts, first):
        previous = mark + new(previous + number.to_bytes(8, "big") + text.encode()).digest()
        made.append(previous)
    return made


def function_of(profile: str) -> int:
    """The function of a profile; SHA-256 where the machine has no SM3."""
    function = OF_PROFILE[profile]
    return function if FUNCTIONS[function] in hashlib.algorithms_available else 1


def marks_of(hashes: Iterable[bytes]) -> bytes:
    """The marks of rows."""
    return b"".join(one[1 : 1 + MARK_BYTES] for one in hashes)


def body_of(  # noqa: PLR0917 - everything that is signed, in the order in which it is known
    service: str, number: int, first: int, hashes: list[bytes], previous: bytes, at: datetime, key_id: str
) -> str:
    """The text that a checkpoint signs, always the same for the same content."""
    content = {
        "at": at.isoformat(timespec="milliseconds"),
        "first": first,
        "head": hashes[-1].hex(),
        "key": key_id,
        "last": first + len(hashes) - 1,
        "marks": hashlib.sha256(marks_of(hashes)).hexdigest(),
        "number": number,
        "previous": previous.hex(),
        "service": service,
    }
    return json.dumps(content, separators=(",", ":"), sort_keys=True)


def read(body: str, signature: bytes, marks: bytes = b"") -> Checkpoint:
    """A checkpoint from its body.

    Raises:
        CheckpointWrong: It is none.
    """
    try:
        content = json.loads(body)
        numbers = [content[name] for name in ("number", "first", "last")]
        if not all(type(one) is int and one > 0 for one in numbers):
            raise CheckpointWrong
        head, digest, previous = (bytes.fromhex(content[name]) for name in ("head", "marks", "previous"))
        number, first, last = numbers
        return Checkpoint(
            str(content["service"]), number, first, last, head, digest, previous, str(content["at"]), body, signature,
            marks,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        raise CheckpointWrong from None


class _Hash(Protocol):
    def digest(self) -> bytes: ...


@cache
def _new(function: int) -> Callable[[bytes], _Hash]:
    name = FUNCTIONS.get(function)
    if name is None or name not in hashlib.algorithms_available:
        raise ValueError(f"no such hash function here: {name or function}")
    if name == "sha256":
        return hashlib.sha256
    return lambda content: hashlib.new(name, content)
