"""Status lists (IETF Token Status List, draft 20): two bits for each place, packed lowest bit first, signed.

A list is published as CWT (§5.2) and as JWT (§5.1). Places are given out by a keyed permutation of a counter, so that
neighbours in a list have nothing to do with each other. What is inflated is limited before it is inflated.
"""

from __future__ import annotations

import base64
import hmac
import json
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from services.card import cose
from services.card.crypto.algorithms import ES256
from services.card.keyring import Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from services.card.keyring import KeyRing

SIZE = 2**20
FILL = SIZE * 8 // 10  # the rest are decoys
BITS = 2
LIFE_SECONDS, TTL_SECONDS = 86_400, 300
CWT_TYPE, JWT_TYPE = "application/statuslist+cwt", "statuslist+jwt"
_SUB, _EXP, _IAT, _TTL, _LIST = 2, 4, 6, 65534, 65533  # claims of a CWT
_TAG = b"\xd2"  # a COSE_Sign1 is said to be one
_HALF, _ROUNDS = 10, 6  # 2^20 places: two halves of ten bits
_MASK = (1 << _HALF) - 1


class Status(IntEnum):
    """What a list says of a place."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2


class ListWrong(Exception):  # noqa: N818 - reads as what it says
    """Bytes that are no list of the size they should have."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A list as it is published."""

    cwt: bytes
    jwt: str


def pack(values: NDArray[np.uint8], bits: int = BITS) -> bytes:
    """Statuses as bytes, the first in the lowest bits."""
    each = 8 // bits
    table = values.reshape(-1, each)
    packed = np.zeros(len(table), np.uint8)
    for place in range(each):
        packed |= table[:, place] << np.uint8(place * bits)
    return packed.tobytes()


def get(packed: bytes, index: int, bits: int = BITS) -> int:
    """The status at a place.

    Raises:
        ListWrong: The list has no such place.
    """
    each = 8 // bits
    if not 0 <= index < len(packed) * each:
        raise ListWrong
    return packed[index // each] >> index % each * bits & (1 << bits) - 1


def deflate(packed: bytes) -> bytes:
    """Bytes as they go into a list."""
    return zlib.compress(packed, 9)


def inflate(data: bytes, size: int) -> bytes:
    """Packed bytes of exactly this size; never more is made.

    Raises:
        ListWrong: More, less, trailing bytes, or no such stream.
    """
    stream = zlib.decompressobj()
    try:
        packed = stream.decompress(data, size + 1)
    except zlib.error:
        raise ListWrong from None
    if len(packed) != size or not stream.eof or stream.unused_data:
        raise ListWrong
    return packed


def sign(uri: str, packed: bytes, iat: int, keys: KeyRing) -> Signed:
    """A list as CWT and JWT.

    Args:
        uri: Where the list is found; it says its own address.
        packed: The statuses.
        iat: When it is made.
        keys: Its purpose is `status`.
    """
    lst = deflate(packed)
    key = keys.active(Purpose.STATUS)
    protected = cose.write({1: key.public.alg, 4: key.kid, 16: CWT_TYPE})
    payload = cose.write(
        {_SUB: uri, _EXP: iat + LIFE_SECONDS, _IAT: iat, _TTL: TTL_SECONDS, _LIST: {"bits": BITS, "lst": lst}}
    )
    signature = keys.sign(key, cose.to_be_signed(protected, b"", payload))
    name = "ES256" if key.public.alg == ES256 else "SGD_SM3_SM2"
    head = _json({"alg": name, "kid": key.kid.hex(), "typ": JWT_TYPE})
    claims: Mapping[str, Any] = {
        "sub": uri,
        "iat": iat,
        "exp": iat + LIFE_SECONDS,
        "ttl": TTL_SECONDS,
        "status_list": {"bits": BITS, "lst": _text(lst)},
    }
    body = f"{head}.{_json(claims)}"
    return Signed(
        _TAG + cose.write([protected, {}, payload, signature]), f"{body}.{_text(keys.sign(key, body.encode()))}"
    )


class Permutation:
    """A keyed permutation of the places of a list: a Feistel network, its round functions tables of keyed digests."""

    def __init__(self, key: bytes) -> None:
        self._tables = np.array(
            [[_half(key, turn, half) for half in range(1 << _HALF)] for turn in range(_ROUNDS)], np.uint32
        )

    def places(self, first: int, count: int) -> list[int]:
        """The places of `count` numbers from `first` on."""
        numbers = np.arange(first, first + count, dtype=np.uint32)
        left, right = numbers >> _HALF, numbers & _MASK
        for table in self._tables:
            left, right = right, left ^ table[right]
        places: list[int] = ((left << _HALF) | right).tolist()
        return places


def _half(key: bytes, turn: int, half: int) -> int:
    """What a round adds for one half."""
    drawn = hmac.digest(key, bytes([turn]) + half.to_bytes(2, "big"), "sha256")
    return int.from_bytes(drawn[:2], "big") & _MASK


def _json(value: Mapping[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
