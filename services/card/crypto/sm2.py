"""SM2 signatures with SM3 (GM/T 0003.2): arithmetic by the system's libcrypto, the identity always set here.

The digest that is signed begins with Z, which holds the signer's identity; it is computed here from the constant
below, so that it is the same with every version of the library.
"""

from __future__ import annotations

import hashlib
from typing import Self

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from services.card.crypto import algorithms, libcrypto
from services.card.crypto.algorithms import FIELD_BYTES, KeyWrong, halves

IDENTITY = b"1234567812345678"
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
_EVEN, _ODD, _WHOLE = 2, 3, 4  # first byte of an encoded point


class Sm2Public:
    """A public key."""

    __slots__ = ("_key", "_z", "alg", "point", "xy")

    def __init__(self, xy: bytes, key: libcrypto.Key | None = None) -> None:
        self.alg = algorithms.SM2
        self.xy = xy
        self.point = bytes([_EVEN + (xy[-1] & 1)]) + xy[:FIELD_BYTES]
        self._key = key or libcrypto.read(bytes([_WHOLE]) + xy)
        self._z = _z(xy)

    @classmethod
    def read(cls, point: bytes) -> Self:
        """A key from its compressed point.

        Raises:
            KeyWrong: It is no point of the curve.
        """
        if len(point) != algorithms.POINT_BYTES or point[0] not in {_EVEN, _ODD}:
            raise KeyWrong("a point has 33 bytes")
        x = int.from_bytes(point[1:], "big")
        square = (pow(x, 3, P) + A * x + B) % P
        y = pow(square, (P + 1) // 4, P)
        if x >= P or y * y % P != square:
            raise KeyWrong("no point of the curve of SM2")
        if y & 1 != point[0] & 1:
            y = P - y
        return cls(point[1:] + y.to_bytes(FIELD_BYTES, "big"))

    def digest(self, data: bytes) -> bytes:
        """e: what is signed for some bytes, with Z of this key before them."""
        return hashlib.new("sm3", self._z + data).digest()

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether a raw signature is this key's."""
        parts = halves(signature, ORDER)
        return parts is not None and self._key.verifies(encode_dss_signature(*parts), self.digest(data))

    def coordinates(self) -> tuple[bytes, bytes]:
        """X and y."""
        return self.xy[:FIELD_BYTES], self.xy[FIELD_BYTES:]


class Sm2Private:
    """A private key in memory."""

    __slots__ = ("_key", "public")

    def __init__(self, key: libcrypto.Key) -> None:
        self._key = key
        self.public = Sm2Public(key.point()[1:], key)

    @classmethod
    def generate(cls) -> Self:
        """A new key."""
        return cls(libcrypto.generate())

    @classmethod
    def read(cls, secret: bytes, point: bytes) -> Self:
        """A key from its private number and its compressed point.

        Raises:
            KeyWrong: They are none.
        """
        try:
            return cls(libcrypto.read(bytes([_WHOLE]) + Sm2Public.read(point).xy, secret))
        except libcrypto.LibcryptoError:
            raise KeyWrong("no private number of SM2") from None

    def sign(self, data: bytes) -> bytes:
        """The raw signature of some bytes."""
        r, s = decode_dss_signature(self._key.sign(self.public.digest(data)))
        return r.to_bytes(FIELD_BYTES, "big") + s.to_bytes(FIELD_BYTES, "big")

    def secret(self) -> bytes:
        """The private number."""
        return self._key.secret()

    def __repr__(self) -> str:
        return "Sm2Private(…)"


def is_available() -> bool:
    """Whether this machine's libcrypto has SM2 and its Python SM3."""
    try:
        libcrypto.generate()
    except libcrypto.LibcryptoError:
        return False
    return "sm3" in hashlib.algorithms_available


def _z(xy: bytes) -> bytes:
    numbers = b"".join(number.to_bytes(FIELD_BYTES, "big") for number in (A, B, GX, GY))
    return hashlib.new("sm3", (len(IDENTITY) * 8).to_bytes(2, "big") + IDENTITY + numbers + xy).digest()
