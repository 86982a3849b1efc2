"""The code that a holder shows (展码): `NTS1:` and Base45 of a COSE_Sign1, minted when it is shown.

Its payload is `[1, card reference, issued at, seconds, number, level, flags]`: nothing about the person, and no number
of the card. Reading goes from cheap to dear and stops at the first thing that is wrong; nothing that fails here was
looked up or stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.card import cose, signing
from services.card.domain.verification import Detail
from services.card.keyring import Purpose

if TYPE_CHECKING:
    from services.card.keyring import KeyRing

PREFIX = "NTS1:"
CONTEXT = b"NT1/S"
VERSION = 1
LENGTH_MAX = 520
REFERENCE_BYTES = 8
NUMBER_BYTES = 8
FLAG_FAMILY, FLAG_MINOR = 1, 2  # a family member shows it; the holder is under the age of own consent
_NUMBER_MAX = 2**32


@dataclass(frozen=True, slots=True)
class Token:
    """What a code says; `signer` is the label of the key that signed it."""

    reference: bytes
    iat: int
    ttl: int
    number: bytes
    level: int
    flags: int = 0
    signer: str = field(default="", compare=False)


def mint(token: Token, keys: KeyRing) -> str:
    """The text of a code, signed."""
    fields = [VERSION, token.reference, token.iat, token.ttl, token.number, token.level, token.flags]
    return PREFIX + cose.base45_write(signing.write(keys, Purpose.TOKEN, CONTEXT, cose.write(fields)))


def read(text: str, keys: KeyRing) -> Token | Detail:
    """What a code says when it is ours, else why it is not: form, key, algorithm, signature, in this order."""
    if len(text) > LENGTH_MAX or not text.startswith(PREFIX):
        return Detail.MALFORMED
    try:
        opened = signing.read(cose.base45_read(text.removeprefix(PREFIX)), keys, Purpose.TOKEN, CONTEXT)
        return opened if isinstance(opened, Detail) else _token(cose.read(opened[1]), opened[0].label)
    except cose.Malformed:
        return Detail.MALFORMED


def _token(fields: object, signer: str) -> Token | Detail:
    """The parts of a payload that we signed; one of a later version is told apart from nonsense."""
    match fields:
        case [int() as version, *_] if version != VERSION:
            return Detail.UNSUPPORTED_VERSION
        case [_, bytes() as reference, int() as iat, int() as ttl, bytes() as number, int() as level, int() as flags]:
            is_whole = len(reference) == REFERENCE_BYTES and len(number) == NUMBER_BYTES
            if is_whole and 0 <= iat < _NUMBER_MAX and 0 <= ttl < _NUMBER_MAX:
                return Token(reference, iat, ttl, number, level, flags, signer)
    return Detail.MALFORMED
