"""Base45 (RFC 9285) and deterministic CBOR (RFC 8949 §4.2), read strictly: anything else is refused, cheaply."""

from __future__ import annotations

from typing import Any

DEPTH_MAX = 4
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}


class Malformed(Exception):  # noqa: N818 - reads as what it says
    """Not written as it has to be."""


def base45(text: str) -> bytes:
    """Bytes from Base45."""
    out = bytearray()
    try:
        values = [_VALUES[character] for character in text]
    except KeyError:
        raise Malformed from None
    for place in range(0, len(values), 3):
        group = values[place : place + 3]
        number = sum(value * 45**power for power, value in enumerate(group))
        width = {3: 2, 2: 1}.get(len(group), 0)
        if not width or number >= 256**width:
            raise Malformed
        out += number.to_bytes(width, "big")
    return bytes(out)


def read(data: bytes) -> Any:
    """A value: numbers, bytes, texts, lists and mappings in their one form."""
    value, end = _item(data, 0, DEPTH_MAX)
    if end != len(data):
        raise Malformed
    return value


def write(value: Any) -> bytes:
    """A value in its one form."""
    match value:
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            data = value.encode()
            return _head(3, len(data)) + data
        case list() | tuple():
            return _head(4, len(value)) + b"".join(map(write, value))
        case dict():
            pairs = sorted((write(key), write(one)) for key, one in value.items())
            return _head(5, len(pairs)) + b"".join(key + one for key, one in pairs)
        case _:
            raise TypeError("no such value")


def _head(major: int, number: int) -> bytes:
    if number < 24:  # noqa: PLR2004 - a head holds smaller numbers itself
        return bytes([major << 5 | number])
    for small, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 256**width:
            return bytes([major << 5 | small]) + number.to_bytes(width, "big")
    raise TypeError("too large")


def _item(data: bytes, place: int, depth: int) -> tuple[Any, int]:
    major, number, place = _read_head(data, place, depth)
    match major:
        case 0:
            return number, place
        case 1:
            return -1 - number, place
        case 2 | 3:
            if number > len(data) - place:
                raise Malformed
            return _text(data[place : place + number], major), place + number
        case 4:
            return _list(data, place, number, depth)
        case _:
            return _mapping(data, place, number, depth)


def _read_head(data: bytes, place: int, depth: int) -> tuple[int, int, int]:
    if place >= len(data) or depth == 0:
        raise Malformed
    major, number = data[place] >> 5, data[place] & 31
    place += 1
    if major > 5 or number > 27:  # noqa: PLR2004 - tags, floats, simple values; reserved and indefinite lengths
        raise Malformed
    if number >= 24:  # noqa: PLR2004 - the number follows
        width = 1 << (number - 24)
        head = data[place : place + width]
        number = int.from_bytes(head, "big")
        shortest = 24 if width == 1 else 256 ** (width // 2)
        if len(head) != width or number < shortest:
            raise Malformed
        place += width
    return major, number, place


def _text(data: bytes, major: int) -> bytes | str:
    if major == 2:  # noqa: PLR2004 - bytes
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed from None


def _list(data: bytes, place: int, count: int, depth: int) -> tuple[list[Any], int]:
    if count > len(data) - place:
        raise Malformed
    items = []
    for _ in range(count):
        item, place = _item(data, place, depth - 1)
        items.append(item)
    return items, place


def _mapping(data: bytes, place: int, count: int, depth: int) -> tuple[dict[Any, Any], int]:
    if count > len(data) - place:
        raise Malformed
    pairs: dict[Any, Any] = {}
    before = b""
    for _ in range(count):
        key, end = _item(data, place, depth - 1)
        written = data[place:end]
        if written <= before or isinstance(key, list | dict):
            raise Malformed
        before = written
        pairs[key], place = _item(data, end, depth - 1)
    return pairs, place
