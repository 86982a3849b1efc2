"""ES256: ECDSA on P-256 with SHA-256."""

from __future__ import annotations

from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from services.card.crypto import algorithms
from services.card.crypto.algorithms import FIELD_BYTES, KeyWrong, halves

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA = ec.ECDSA(hashes.SHA256())
_CURVE = ec.SECP256R1()


class Es256Public:
    """A public key."""

    __slots__ = ("_key", "alg", "point")

    def __init__(self, key: ec.EllipticCurvePublicKey, point: bytes = b"") -> None:
        self.alg = algorithms.ES256
        self._key = key
        self.point = point or key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)

    @classmethod
    def read(cls, point: bytes) -> Self:
        """A key from its compressed point.

        Raises:
            KeyWrong: It is no point of the curve.
        """
        if len(point) != algorithms.POINT_BYTES:
            raise KeyWrong("a point has 33 bytes")
        try:
            return cls(ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point), point)
        except ValueError:
            raise KeyWrong("no point of P-256") from None

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether a raw signature is this key's."""
        parts = halves(signature, ORDER)
        if parts is None:
            return False
        try:
            self._key.verify(encode_dss_signature(*parts), data, _ECDSA)
        except InvalidSignature:
            return False
        return True

    def coordinates(self) -> tuple[bytes, bytes]:
        """X and y."""
        numbers = self._key.public_numbers()
        return numbers.x.to_bytes(FIELD_BYTES, "big"), numbers.y.to_bytes(FIELD_BYTES, "big")


class Es256Private:
    """A private key in memory."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = Es256Public(key.public_key())

    @classmethod
    def generate(cls) -> Self:
        """A new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, secret: bytes) -> Self:
        """A key from its private number.

        Raises:
            KeyWrong: It is none.
        """
        try:
            return cls(ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1()))
        except ValueError:
            raise KeyWrong("no private number of P-256") from None

    def sign(self, data: bytes) -> bytes:
        """The raw signature of some bytes."""
        r, s = decode_dss_signature(self._key.sign(data, _ECDSA))
        return r.to_bytes(FIELD_BYTES, "big") + s.to_bytes(FIELD_BYTES, "big")

    def secret(self) -> bytes:
        """The private number."""
        return self._key.private_numbers().private_value.to_bytes(FIELD_BYTES, "big")

    def __repr__(self) -> str:
        return "Es256Private(…)"
