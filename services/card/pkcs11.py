"""Signing keys in a PKCS#11 module (a hardware security module, or SoftHSM2): ES256, without a binding of its own.

Private keys are made in the module as sensitive and not extractable, and never leave it. A key's purpose is its label,
its id the thumbprint. SM2 has no mechanism in the standard, so profile G needs a provider of its maker (GM/T 0018).
A session that was lost (the module was restarted, its network was gone) is opened anew at the next signature.
"""

from __future__ import annotations

import ctypes
import hashlib
import threading
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec

from services.card.crypto import profile as profiles
from services.card.crypto.algorithms import ES256
from services.card.crypto.es256 import Es256Public
from services.card.providers import Held, KeysAway, KeysWrong, Purpose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.card.crypto.profile import Profile

_u = ctypes.c_ulong
_OK, _ALREADY, _LOGGED_IN = 0, 0x191, 0x100
# General error, function failed, device error or removed, key or object handle, session closed or its handle invalid,
# token not present, not logged in, not initialised: what a session that was lost is told.
_LOST = {0x5, 0x6, 0x30, 0x32, 0x60, 0x82, 0xB0, 0xB3, 0xE0, 0x101, 0x190}
_PUBLIC, _PRIVATE, _EC = 2, 3, 3
_CLASS, _TOKEN, _PRIVATE_FLAG, _LABEL, _KEY_TYPE, _ID = 0x0, 0x1, 0x2, 0x3, 0x100, 0x102
_SENSITIVE, _SIGN, _VERIFY, _EXTRACTABLE, _EC_PARAMS, _EC_POINT = 0x103, 0x108, 0x10A, 0x162, 0x180, 0x181
_GENERATE_EC, _ECDSA = 0x1040, 0x1041
_SERIAL, _WRITE, _USER = 4, 2, 1
_P256 = bytes.fromhex("06082a8648ce3d030107")
_FOUND_MAX, _SLOTS_MAX, _POINT, _SIGNATURE, _LABEL_BYTES = 256, 64, 65, 64, 32
# Places in the list of functions of version 2, which stands after two bytes of version and what aligns the first.
_PLACES = {
    "Initialize": 0,
    "GetSlotList": 4,
    "GetTokenInfo": 6,
    "OpenSession": 12,
    "Login": 18,
    "GetAttributeValue": 24,
    "SetAttributeValue": 25,
    "FindObjectsInit": 26,
    "FindObjects": 27,
    "FindObjectsFinal": 28,
    "SignInit": 42,
    "Sign": 43,
    "GenerateKeyPair": 59,
}


class _Attribute(ctypes.Structure):
    _fields_ = (("type", _u), ("value", ctypes.c_void_p), ("size", _u))


class _Mechanism(ctypes.Structure):
    _fields_ = (("mechanism", _u), ("parameter", ctypes.c_void_p), ("size", _u))


class Pkcs11Provider:
    """The signing keys of one token."""

    def __init__(self, module: str, token: str, pin: str) -> None:
        try:
            self._library = ctypes.CDLL(module)
        except OSError:
            raise KeysWrong("the PKCS#11 module cannot be loaded") from None
        functions = ctypes.c_void_p()
        self._need(self._library.C_GetFunctionList(ctypes.byref(functions)), "C_GetFunctionList")
        assert functions.value is not None
        table = ctypes.cast(functions.value + ctypes.sizeof(ctypes.c_void_p), ctypes.POINTER(ctypes.c_void_p))
        self._functions = {name: table[place] for name, place in _PLACES.items()}
        self._gate = threading.Lock()  # a session does one thing at a time
        self._token, self._pin = token, pin
        self._held: list[Held] = []
        self._handles: dict[str, int] = {}
        self._begin()

    def held(self) -> Sequence[Held]:
        """The signing keys of the token."""
        return self._held

    def sign(self, label: str, data: bytes) -> bytes:
        """The raw signature of some bytes; the module has r‖s by itself.

        Raises:
            KeysAway: The module does not answer, also after its session was opened anew.
            KeysWrong: It has no such key.
        """
        digest = hashlib.sha256(data).digest()
        with self._gate:
            try:
                return self._sign(label, digest)
            except KeysAway:
                self._begin_again()
            return self._sign(label, digest)

    def generate(self, purpose: Purpose, profile: Profile) -> Held:
        """Make a key that never leaves the module."""
        if profile.alg != ES256:
            raise KeysWrong("PKCS#11 has no SM2")
        name = purpose.value.encode()
        common = [(_TOKEN, b"\1"), (_LABEL, name), (_KEY_TYPE, bytes(_u(_EC)))]
        public = _template([*common, (_VERIFY, b"\1"), (_EC_PARAMS, _P256)])
        private = _template(
            [*common, (_PRIVATE_FLAG, b"\1"), (_SENSITIVE, b"\1"), (_EXTRACTABLE, b"\0"), (_SIGN, b"\1")]
        )
        mechanism, of_public, of_private = _Mechanism(_GENERATE_EC, None, 0), _u(), _u()
        with self._gate:
            self._do(
                "GenerateKeyPair",
                self._session,
                ctypes.byref(mechanism),
                *(public[0], _u(len(public[0])), private[0], _u(len(private[0]))),
                *(ctypes.byref(of_public), ctypes.byref(of_private)),
            )
            point = self._attribute(of_public.value, _EC_POINT)
            key = _public(point)
            label = profiles.thumb(key).hex()
            identity = _template([(_ID, bytes.fromhex(label))])
            for handle in (of_public, of_private):
                self._do("SetAttributeValue", self._session, handle, identity[0], _u(1))
            self._read()
        return Held(purpose, label, key)

    def _begin(self) -> None:
        if (code := self._call("Initialize", None)) not in {_OK, _ALREADY}:
            self._need(code, "C_Initialize")
        self._session = self._open(self._token, self._pin)
        self._read()

    def _begin_again(self) -> None:
        try:
            self._begin()
        except KeysWrong:
            raise KeysAway("the PKCS#11 module does not answer") from None

    def _sign(self, label: str, digest: bytes) -> bytes:
        if label not in self._handles:
            self._read()
        if (handle := self._handles.get(label)) is None:
            raise KeysWrong("this key is not in the module")
        out, size = ctypes.create_string_buffer(_SIGNATURE), _u(_SIGNATURE)
        mechanism = _Mechanism(_ECDSA, None, 0)
        self._do("SignInit", self._session, ctypes.byref(mechanism), _u(handle))
        self._do("Sign", self._session, digest, _u(len(digest)), out, ctypes.byref(size))
        return out.raw[: size.value]

    def _read(self) -> None:
        held, handles = [], {}
        for handle in self._find([(_CLASS, bytes(_u(_PRIVATE)))]):
            name = self._attribute(handle, _LABEL).decode(errors="replace")
            label = self._attribute(handle, _ID)
            if name not in {one.value for one in Purpose} or not label:
                continue
            publics = self._find([(_CLASS, bytes(_u(_PUBLIC))), (_ID, label)])
            if publics:
                key = _public(self._attribute(publics[0], _EC_POINT))
                handles[label.hex()] = handle
                held.append(Held(Purpose(name), label.hex(), key))
        self._held, self._handles = held, handles

    def _open(self, token: str, pin: str) -> Any:
        slots, count = (_u * _SLOTS_MAX)(), _u(_SLOTS_MAX)
        self._do("GetSlotList", ctypes.c_ubyte(1), slots, ctypes.byref(count))
        for slot in slots[: count.value]:
            info = ctypes.create_string_buffer(512)
            self._do("GetTokenInfo", _u(slot), info)
            if info.raw[:_LABEL_BYTES].rstrip(b" \0").decode(errors="replace") == token:
                session, secret = _u(), pin.encode()
                self._do("OpenSession", _u(slot), _u(_SERIAL | _WRITE), None, None, ctypes.byref(session))
                # A login is of the whole process: a second provider in it finds the user logged in.
                if (code := self._call("Login", session, _u(_USER), secret, _u(len(secret)))) != _LOGGED_IN:
                    self._need(code, "Login")
                self.slot = int(slot)
                return session
        raise KeysWrong("the PKCS#11 module has no token of this label")

    def _find(self, wanted: list[tuple[int, bytes]]) -> list[int]:
        template = _template(wanted)
        handles, count = (_u * _FOUND_MAX)(), _u()
        self._do("FindObjectsInit", self._session, template[0], _u(len(template[0])))
        self._do("FindObjects", self._session, handles, _u(_FOUND_MAX), ctypes.byref(count))
        self._do("FindObjectsFinal", self._session)
        return list(handles[: count.value])

    def _attribute(self, handle: int, kind: int) -> bytes:
        asked = (_Attribute * 1)(_Attribute(kind, None, 0))
        self._do("GetAttributeValue", self._session, _u(handle), asked, _u(1))
        out = ctypes.create_string_buffer(asked[0].size)
        asked[0].value = ctypes.cast(out, ctypes.c_void_p)
        self._do("GetAttributeValue", self._session, _u(handle), asked, _u(1))
        return out.raw[: asked[0].size]

    def _do(self, name: str, *arguments: Any) -> None:
        self._need(self._call(name, *arguments), name)

    def _call(self, name: str, *arguments: Any) -> int:
        return int(ctypes.CFUNCTYPE(_u, *map(_kind, arguments))(self._functions[name])(*arguments))

    def _need(self, code: int, name: str) -> None:
        if code != _OK:
            raise (KeysAway if code in _LOST else KeysWrong)(f"PKCS#11 refused {name}: {code:#x}")


def _kind(argument: Any) -> Any:
    if isinstance(argument, bytes):
        return ctypes.c_char_p
    return type(argument) if isinstance(argument, _u | ctypes.c_ubyte) else ctypes.c_void_p


def _template(values: list[tuple[int, bytes]]) -> tuple[Any, list[Any]]:
    """Attributes, and the buffers that they point into, which have to live as long."""
    buffers = [ctypes.create_string_buffer(value, len(value)) for _, value in values]
    attributes = (_Attribute * len(values))()
    for place, ((kind, value), buffer) in enumerate(zip(values, buffers, strict=True)):
        attributes[place] = _Attribute(kind, ctypes.cast(buffer, ctypes.c_void_p), len(value))
    return attributes, buffers


def _public(point: bytes) -> Es256Public:
    """A key from the octet string that holds its point."""
    return Es256Public(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[-_POINT:]))
