"""The trust list: which keys verifiers may rely on for what, signed by a root that lies offline.

`[1, sequence, issued at, good until, [[purpose, algorithm, point, state], …]]`, context `NT1/T`, good for seven days; a
verifier refuses a lower sequence than it has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.card import cose, signing
from services.card.domain.verification import Detail
from services.card.keyring import KeyState, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.card.keyring import KeyRing, SigningKey

CONTEXT = b"NT1/T"
VERSION = 1
LIFE_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class TrustList:
    """What a trust list says."""

    sequence: int
    iat: int
    exp: int
    keys: tuple[tuple[str, int, bytes, str], ...]


def listed(keys: Iterable[SigningKey]) -> tuple[tuple[str, int, bytes, str], ...]:
    """The keys that verifiers should know, in a fixed order; planned ones are nobody's business."""
    rows = [
        (key.purpose.value, key.public.alg, key.public.point, key.state.value)
        for key in keys
        if key.purpose is not Purpose.TRUST_ROOT and key.state is not KeyState.PLANNED
    ]
    return tuple(sorted(rows))


def payload(trust: TrustList) -> bytes:
    """The bytes that the root signs."""
    return cose.write([VERSION, trust.sequence, trust.iat, trust.exp, [list(key) for key in trust.keys]])


def sign(trust: TrustList, root: KeyRing) -> bytes:
    """A trust list signed by the root."""
    return signing.write(root, Purpose.TRUST_ROOT, CONTEXT, payload(trust))


def read(data: bytes, root: KeyRing) -> TrustList | Detail:
    """What a trust list says when the root signed it, else why not."""
    try:
        opened = signing.read(data, root, Purpose.TRUST_ROOT, CONTEXT)
        if isinstance(opened, Detail):
            return opened
        match cose.read(opened[1]):
            case [int() as version, int() as sequence, int() as iat, int() as exp, list() as rows]:
                if version != VERSION:
                    return Detail.UNSUPPORTED_VERSION
                return TrustList(sequence, iat, exp, tuple(_row(row) for row in rows))
    except cose.Malformed:
        pass
    return Detail.MALFORMED


def _row(row: object) -> tuple[str, int, bytes, str]:
    match row:
        case [str() as purpose, int() as alg, bytes() as point, str() as state]:
            return purpose, alg, point, state
    raise cose.Malformed
