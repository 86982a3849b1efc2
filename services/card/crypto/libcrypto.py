"""The system's libcrypto (OpenSSL 3 or later) by ctypes: just what signatures with SM2 need, and nothing else.

Keys are made from their numbers, signing and verifying take a digest of 32 bytes. The digest with its identity is
computed by the caller (`crypto.sm2`), so no default of the library, which changed between versions, ever counts.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache
from typing import Any

_NAMES = ("libcrypto.so.3", "libcrypto.so.4", "libcrypto.so", "libcrypto.3.dylib")
_KEYPAIR, _PUBLIC = 0x87, 0x86  # EVP_PKEY_KEYPAIR, EVP_PKEY_PUBLIC_KEY
_UNSIGNED, _TEXT, _OCTETS = 2, 4, 5  # OSSL_PARAM types
_GROUP = b"SM2"
_SIGNATURE_MAX = 80  # DER of two numbers of 32 bytes
_POINT_MAX = 65
_SECRET = 32
_p, _i, _z = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t


class LibcryptoError(Exception):
    """The library is missing, has no SM2, or said no where it should not; never holds a key."""


class _Param(ctypes.Structure):
    _fields_ = (
        ("key", ctypes.c_char_p),
        ("data_type", ctypes.c_uint),
        ("data", ctypes.c_void_p),
        ("data_size", ctypes.c_size_t),
        ("return_size", ctypes.c_size_t),
    )


_PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "EVP_PKEY_CTX_new_from_name": (_p, [_p, ctypes.c_char_p, _p]),
    "EVP_PKEY_CTX_new": (_p, [_p, _p]),
    "EVP_PKEY_CTX_free": (None, [_p]),
    "EVP_PKEY_free": (None, [_p]),
    "EVP_PKEY_fromdata_init": (_i, [_p]),
    "EVP_PKEY_fromdata": (_i, [_p, ctypes.POINTER(_p), _i, _p]),
    "EVP_PKEY_keygen_init": (_i, [_p]),
    "EVP_PKEY_generate": (_i, [_p, ctypes.POINTER(_p)]),
    "EVP_PKEY_get_octet_string_param": (_i, [_p, ctypes.c_char_p, _p, _z, ctypes.POINTER(_z)]),
    "EVP_PKEY_get_bn_param": (_i, [_p, ctypes.c_char_p, ctypes.POINTER(_p)]),
    "BN_bn2binpad": (_i, [_p, _p, _i]),
    "BN_clear_free": (None, [_p]),
    "EVP_PKEY_sign_init": (_i, [_p]),
    "EVP_PKEY_sign": (_i, [_p, _p, ctypes.POINTER(_z), ctypes.c_char_p, _z]),
    "EVP_PKEY_verify_init": (_i, [_p]),
    "EVP_PKEY_verify": (_i, [_p, ctypes.c_char_p, _z, ctypes.c_char_p, _z]),
    "ERR_clear_error": (None, []),
}


@cache
def library() -> Any:
    """The loaded library.

    Raises:
        LibcryptoError: There is none with what is needed.
    """
    found = ctypes.util.find_library("crypto")
    for name in (*([found] if found else []), *_NAMES):
        try:
            loaded = ctypes.CDLL(name)
            for function, (result, arguments) in _PROTOTYPES.items():
                prototype = getattr(loaded, function)
                prototype.restype, prototype.argtypes = result, arguments
        except (OSError, AttributeError):
            continue
        return loaded
    raise LibcryptoError("no libcrypto of OpenSSL 3 or later is installed")


class Key:
    """A key of the library, freed with this object."""

    __slots__ = ("_as_parameter_", "_lib")

    def __init__(self, lib: Any, handle: Any) -> None:
        self._lib = lib
        self._as_parameter_ = ctypes.c_void_p(handle)

    def __del__(self) -> None:
        self._lib.EVP_PKEY_free(self._as_parameter_)

    def sign(self, digest: bytes) -> bytes:
        """The DER signature of a digest of 32 bytes."""
        lib, context = self._lib, self._context()
        try:
            signature, size = ctypes.create_string_buffer(_SIGNATURE_MAX), ctypes.c_size_t(_SIGNATURE_MAX)
            if (
                lib.EVP_PKEY_sign_init(context) != 1
                or lib.EVP_PKEY_sign(context, signature, ctypes.byref(size), digest, len(digest)) != 1
            ):
                raise self._no("sign")
            return signature.raw[: size.value]
        finally:
            lib.EVP_PKEY_CTX_free(context)

    def verifies(self, der: bytes, digest: bytes) -> bool:
        """Whether a DER signature of a digest is this key's."""
        lib, context = self._lib, self._context()
        try:
            if lib.EVP_PKEY_verify_init(context) != 1:
                raise self._no("verify")
            is_ours: bool = lib.EVP_PKEY_verify(context, der, len(der), digest, len(digest)) == 1
            if not is_ours:
                lib.ERR_clear_error()
            return is_ours
        finally:
            lib.EVP_PKEY_CTX_free(context)

    def point(self) -> bytes:
        """The public point, uncompressed."""
        out, size = ctypes.create_string_buffer(_POINT_MAX), ctypes.c_size_t()
        if self._lib.EVP_PKEY_get_octet_string_param(self, b"pub", out, _POINT_MAX, ctypes.byref(size)) != 1:
            raise self._no("point")
        return out.raw[: size.value]

    def secret(self) -> bytes:
        """The private number."""
        number = ctypes.c_void_p()
        if self._lib.EVP_PKEY_get_bn_param(self, b"priv", ctypes.byref(number)) != 1:
            raise self._no("secret")
        out = ctypes.create_string_buffer(_SECRET)
        self._lib.BN_bn2binpad(number, out, _SECRET)
        self._lib.BN_clear_free(number)
        return out.raw

    def _context(self) -> Any:
        context = self._lib.EVP_PKEY_CTX_new(self, None)
        if not context:
            raise self._no("context")
        return context

    def _no(self, what: str) -> LibcryptoError:
        self._lib.ERR_clear_error()
        return LibcryptoError(f"libcrypto refused: {what}")


def generate() -> Key:
    """A new SM2 key."""
    lib = library()
    context, key = _named(lib), ctypes.c_void_p()
    try:
        if lib.EVP_PKEY_keygen_init(context) != 1 or lib.EVP_PKEY_generate(context, ctypes.byref(key)) != 1:
            lib.ERR_clear_error()
            raise LibcryptoError("libcrypto makes no SM2 key")
    finally:
        lib.EVP_PKEY_CTX_free(context)
    return Key(lib, key.value)


def read(point: bytes, secret: bytes = b"") -> Key:
    """A key from its uncompressed point and, for signing, its private number.

    Raises:
        LibcryptoError: They are no key.
    """
    lib = library()
    parts = [_param(b"group", _TEXT, _GROUP), _param(b"pub", _OCTETS, point)]
    if secret:
        # Native byte order, as the library reads numbers; every machine this runs on is little-endian.
        parts.append(_param(b"priv", _UNSIGNED, secret[::-1]))
    params = (_Param * (len(parts) + 1))(*(one for one, _ in parts), _Param())
    context, key = _named(lib), ctypes.c_void_p()
    try:
        if (
            lib.EVP_PKEY_fromdata_init(context) != 1
            or lib.EVP_PKEY_fromdata(context, ctypes.byref(key), _KEYPAIR if secret else _PUBLIC, params) != 1
        ):
            lib.ERR_clear_error()
            raise LibcryptoError("these numbers are no SM2 key")
    finally:
        lib.EVP_PKEY_CTX_free(context)
    return Key(lib, key.value)


def _named(lib: Any) -> Any:
    context = lib.EVP_PKEY_CTX_new_from_name(None, _GROUP, None)
    if not context:
        lib.ERR_clear_error()
        raise LibcryptoError("this libcrypto has no SM2")
    return context


def _param(name: bytes, kind: int, value: bytes) -> tuple[_Param, Any]:
    """A parameter and the buffer that it points into, which has to live as long."""
    buffer = ctypes.create_string_buffer(value, len(value))
    return _Param(name, kind, ctypes.cast(buffer, ctypes.c_void_p), len(value), 0), buffer
