"""The file outside: every checkpoint of a service as one line of JSON, only ever added to.

It lies apart from the database (`HRSS_AUDIT_DIR`, else beside the uploads). Whoever can change the database cannot
change it, and a copy on another machine is worth more than one here: `chattr +a`, or a job that copies new lines away.
Each process of a service keeps one, so replicas on several machines have several copies.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from typing import TYPE_CHECKING

from chassis.audit_chain import Checkpoint, CheckpointWrong, read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TAIL_BYTES = 65_536 + 2048  # a line: 10,000 marks of four bytes in base64, and the body


def path_of(audit_dir: Path, service: str) -> Path:
    """The file of a service."""
    return audit_dir / f"{service}.checkpoints"


def append(path: Path, checkpoints: Sequence[Checkpoint]) -> int:
    """Add checkpoints that are not there yet, and wait until they are on disk; how many were added.

    Raises:
        OSError: The file cannot be written.
        CheckpointWrong: Its last line is not one of ours.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # processes of one machine share the file
        _mend(file.fileno())
        known = _last(file.fileno())
        new = [one for one in checkpoints if known is None or one.number > known.number]
        if new:
            os.write(file.fileno(), b"".join(_line(one) for one in new))
            os.fsync(file.fileno())
    return len(new)


def last(path: Path) -> Checkpoint | None:
    """The last checkpoint of a file; None where there is none.

    Raises:
        CheckpointWrong: Its last line is not one of ours.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return _last(descriptor)
    finally:
        os.close(descriptor)


def read_all(path: Path) -> list[Checkpoint]:
    """Every checkpoint of a file, as they stand there; a last line that is not whole is not yet one.

    Raises:
        OSError: It cannot be read.
        CheckpointWrong: A line is not one of ours; the text names its number.
    """
    found = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            found.append(_checkpoint(line))
        except CheckpointWrong:
            raise CheckpointWrong(f"line {number}") from None
    return found


def _last(descriptor: int) -> Checkpoint | None:
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL_BYTES)
    lines = os.pread(descriptor, size - start, start).split(b"\n")
    return _checkpoint(lines[-2]) if len(lines) > 1 else None


def _mend(descriptor: int) -> None:
    """End a line that a killed process left in the middle: what stands there is then no checkpoint, and is cut off."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL_BYTES)
    rest = os.pread(descriptor, size - start, start).rpartition(b"\n")[2]
    if rest:
        os.ftruncate(descriptor, size - len(rest))


def _line(one: Checkpoint) -> bytes:
    content = {
        "body": one.body,
        "marks": base64.b64encode(one.marks).decode(),
        "signature": base64.b64encode(one.signature).decode(),
    }
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def _checkpoint(line: bytes) -> Checkpoint:
    try:
        content = json.loads(line)
        signature, marks = (base64.b64decode(content[name], validate=True) for name in ("signature", "marks"))
        return read(content["body"], signature, marks)
    except (ValueError, KeyError, TypeError):
        raise CheckpointWrong from None
