"""Signed codes as bytes: deterministic CBOR (RFC 8949 §4.2), COSE_Sign1 (RFC 9052 §4.2, §4.4), Base45 (RFC 9285).

Reading is strict: what is not written exactly as we would write it is refused, before anything large is made of it. The
decoder alone would take tags, indefinite lengths and long forms, so the shape is walked first and the value written
again afterwards must be the same bytes.
"""

from __future__ import annotations

import struct
from typing import Any

import base45
import cbor2

DEPTH_MAX = 4
_BYTES, _TEXT, _ARRAY, _MAP, _TAG = 2, 3, 4, 5, 6
_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_DIGIT_MAX = len(_ALPHABET) - 1
_DIGITS = bytes(_ALPHABET.find(code) & 0xFF for code in range(256))  # 255: no digit
_SHORT, _LONGEST = 24, 27  # a head holds its number itself below 24, or in 1, 2, 4, 8 bytes after 24 to 27


class Malformed(Exception):  # noqa: N818 - reads as what it says
    """Not what we would have written."""


def write(value: Any) -> bytes:
    """A value in its one deterministic form."""
    return cbor2.dumps(value, canonical=True)


def read(data: bytes) -> Any:
    """A value from its one deterministic form: numbers, bytes, texts, lists and mappings.

    Raises:
        Malformed: Tags, floats, simple values, indefinite or longer than needed lengths, duplicate or unsorted keys,
            trailing bytes, more than four levels.
    """
    if _walk(data, 0, DEPTH_MAX) != len(data):
        raise Malformed
    try:
        value = cbor2.loads(data, max_depth=DEPTH_MAX + 1, allow_indefinite=False, allow_duplicate_keys=False)
        is_same = write(value) == data
    except (cbor2.CBORError, ValueError, TypeError, RecursionError):
        raise Malformed from None
    if not is_same:
        raise Malformed
    return value


def _walk(data: bytes, place: int, depth: int) -> int:
    """Where the item that begins here ends; makes nothing of it."""
    if place >= len(data) or depth == 0:
        raise Malformed
    major, small = data[place] >> 5, data[place] & 0x1F
    place += 1
    if major >= _TAG or small > _LONGEST:
        raise Malformed
    number = small
    if small >= _SHORT:
        width = 1 << (small - _SHORT)
        number = int.from_bytes(data[place : place + width], "big")
        place += width
    if major in (_BYTES, _TEXT):
        place += number
    elif major in (_ARRAY, _MAP):
        if number > len(data):
            raise Malformed
        for _ in range(number * (2 if major == _MAP else 1)):
            place = _walk(data, place, depth - 1)
    if place > len(data):
        raise Malformed
    return place


def to_be_signed(protected: bytes, context: bytes, payload: bytes) -> bytes:
    """The Sig_structure of a COSE_Sign1; `context` keeps one kind of signed thing from being taken for another."""
    return write(["Signature1", protected, context, payload])


def base45_write(data: bytes) -> str:
    """Bytes as Base45, which a QR code holds in its alphanumeric mode."""
    return base45.b45encode(data).decode("ascii")


def base45_read(text: str) -> bytes:
    """Bytes from Base45.

    Raises:
        Malformed: Another character, a length that cannot be, or a group above its range.
    """
    try:
        digits = text.encode("ascii").translate(_DIGITS)
    except UnicodeEncodeError:
        raise Malformed from None
    left = len(digits) % 3
    if left == 1 or (digits and max(digits) > _DIGIT_MAX):
        raise Malformed
    end = len(digits) - left
    groups = [a + 45 * b + 2025 * c for a, b, c in zip(digits[0:end:3], digits[1:end:3], digits[2:end:3], strict=True)]
    try:
        data = struct.pack(f">{len(groups)}H", *groups)
        return data + bytes([digits[end] + 45 * digits[end + 1]]) if left else data
    except (struct.error, ValueError):
        raise Malformed from None
