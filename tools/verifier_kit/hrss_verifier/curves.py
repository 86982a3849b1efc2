"""Signatures are checked here in plain Python: ES256 (P-256, SHA-256) and SM2 with SM3.

Only public values enter, so it need not hide how long it takes: a few milliseconds. Nothing here can sign.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

IDENTITY = b"1234567812345678"
_FIELD = 32
_Point = tuple[int, int, int]  # Jacobian; z = 0 is the point at infinity
_WORD = 0xFFFFFFFF


@dataclass(frozen=True)
class Curve:
    """y² = x³ - 3x + b over a prime field, as both curves are."""

    name: str
    p: int
    b: int
    order: int
    gx: int
    gy: int


P256 = Curve(
    "ES256",
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
SM2 = Curve(
    "SM2",
    0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF,
    0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
    0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
CURVES = {-7: P256, -65537: SM2}
NAMES = {curve.name: alg for alg, curve in CURVES.items()}


class PointWrong(Exception):  # noqa: N818 - reads as what it says
    """These bytes are no point of the curve."""


def verifies(alg: int, point: bytes, signature: bytes, data: bytes) -> bool:
    """Whether a raw signature r‖s of 64 bytes is that of a key, given by its compressed point."""
    curve = CURVES.get(alg)
    if curve is None or len(signature) != 2 * _FIELD:
        return False
    r, s = int.from_bytes(signature[:_FIELD], "big"), int.from_bytes(signature[_FIELD:], "big")
    if not (0 < r < curve.order and 0 < s < curve.order):
        return False
    try:
        x, y = decompress(curve, point)
    except PointWrong:
        return False
    return _is_es256(curve, (x, y), (r, s), data) if curve is P256 else _is_sm2(curve, (x, y), (r, s), data)


@lru_cache(maxsize=1024)
def decompress(curve: Curve, point: bytes) -> tuple[int, int]:
    """X and y of a compressed point."""
    if len(point) != _FIELD + 1 or point[0] not in {2, 3}:
        raise PointWrong
    x, p = int.from_bytes(point[1:], "big"), curve.p
    square = (x * x * x - 3 * x + curve.b) % p
    y = pow(square, (p + 1) // 4, p)
    if x >= p or y * y % p != square:
        raise PointWrong
    return x, y if y & 1 == point[0] & 1 else p - y


def thumbprint(alg: int, point: bytes) -> bytes:
    """The COSE key thumbprint (RFC 9679); a header names its first four bytes."""
    from .coding import write  # noqa: PLC0415 - the only use

    x, y = decompress(CURVES[alg], point)
    key = {1: 2, -1: 1 if alg == NAMES["ES256"] else alg, -2: x.to_bytes(_FIELD, "big"), -3: y.to_bytes(_FIELD, "big")}
    return hashlib.sha256(write(key)).digest()


def _is_es256(curve: Curve, key: tuple[int, int], signature: tuple[int, int], data: bytes) -> bool:
    r, s = signature
    e = int.from_bytes(hashlib.sha256(data).digest(), "big")
    w = pow(s, -1, curve.order)
    x = _sum_x(curve, e * w % curve.order, r * w % curve.order, key)
    return x is not None and x % curve.order == r


def _is_sm2(curve: Curve, key: tuple[int, int], signature: tuple[int, int], data: bytes) -> bool:
    r, s = signature
    parts = (curve.p - 3, curve.b, curve.gx, curve.gy, *key)
    z = sm3(
        (len(IDENTITY) * 8).to_bytes(2, "big") + IDENTITY + b"".join(part.to_bytes(_FIELD, "big") for part in parts)
    )
    e = int.from_bytes(sm3(z + data), "big")
    t = (r + s) % curve.order
    if not t:
        return False
    x = _sum_x(curve, s, t, key)
    return x is not None and (e + x) % curve.order == r


def _sum_x(curve: Curve, first: int, second: int, key: tuple[int, int]) -> int | None:
    """X of first·G + second·key; both are added up along one run of doublings."""
    p = curve.p
    g, q = (curve.gx, curve.gy, 1), (*key, 1)
    both = _add(g, q, p)
    total: _Point = (1, 1, 0)
    for bit in range(max(first.bit_length(), second.bit_length()) - 1, -1, -1):
        total = _double(total, p)
        match first >> bit & 1, second >> bit & 1:
            case 1, 1:
                total = _add(total, both, p)
            case 1, 0:
                total = _add(total, g, p)
            case 0, 1:
                total = _add(total, q, p)
    if not total[2]:
        return None
    inverse = pow(total[2], -1, p)
    return total[0] * inverse * inverse % p


def _double(point: _Point, p: int) -> _Point:
    x, y, z = point
    if not z or not y:
        return 1, 1, 0
    square = z * z % p
    yy = y * y % p
    s = 4 * x * yy % p
    m = 3 * (x - square) * (x + square) % p
    out = (m * m - 2 * s) % p
    return out, (m * (s - out) - 8 * yy * yy) % p, 2 * y * z % p


def _add(one: _Point, two: _Point, p: int) -> _Point:
    if not one[2]:
        return two
    if not two[2]:
        return one
    (x1, y1, z1), (x2, y2, z2) = one, two
    z11, z22 = z1 * z1 % p, z2 * z2 % p
    u1, u2 = x1 * z22 % p, x2 * z11 % p
    s1, s2 = y1 * z2 * z22 % p, y2 * z1 * z11 % p
    if u1 == u2:
        return _double(one, p) if s1 == s2 else (1, 1, 0)
    h, r = (u2 - u1) % p, (s2 - s1) % p
    hh = h * h % p
    hhh, v = h * hh % p, u1 * hh % p
    x = (r * r - hhh - 2 * v) % p
    return x, (r * (v - x) - s1 * hhh) % p, h * z1 * z2 % p


def sm3(data: bytes) -> bytes:
    """SM3 (GB/T 32905), by the system where it has it."""
    if "sm3" in hashlib.algorithms_available:
        return hashlib.new("sm3", data).digest()
    return plain_sm3(data)


def plain_sm3(data: bytes) -> bytes:
    """SM3 in plain Python."""
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + (8 * len(data)).to_bytes(8, "big")
    state = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    for start in range(0, len(padded), 64):
        state = _sm3_block(state, padded[start : start + 64])
    return b"".join(word.to_bytes(4, "big") for word in state)


def _sm3_block(state: list[int], block: bytes) -> list[int]:
    w = [int.from_bytes(block[place : place + 4], "big") for place in range(0, 64, 4)]
    for j in range(16, 68):
        mixed = w[j - 16] ^ w[j - 9] ^ _turn(w[j - 3], 15)
        w.append(mixed ^ _turn(mixed, 15) ^ _turn(mixed, 23) ^ _turn(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        constant = 0x79CC4519 if j < 16 else 0x7A879D8A  # noqa: PLR2004 - the first quarter has another one
        ss1 = _turn((_turn(a, 12) + e + _turn(constant, j % 32)) & _WORD, 7)
        ff, gg = (a ^ b ^ c, e ^ f ^ g) if j < 16 else (a & b | a & c | b & c, e & f | ~e & g)  # noqa: PLR2004 - the same
        tt1 = (ff + d + (ss1 ^ _turn(a, 12)) + (w[j] ^ w[j + 4])) & _WORD
        tt2 = (gg + h + ss1 + w[j]) & _WORD
        d, c, b, a = c, _turn(b, 9), a, tt1
        h, g, f, e = g, _turn(f, 19), e, tt2 ^ _turn(tt2, 9) ^ _turn(tt2, 17)
    return [one ^ other for one, other in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def _turn(word: int, count: int) -> int:
    return (word << count | word >> 32 - count) & _WORD if count else word
