"""Published vectors, looked at before the service depends on them; a wrong result keeps it from starting."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers import algorithms as ciphers

from services.card.crypto import profile as profiles
from services.card.crypto.sm2 import Sm2Public

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.card.crypto.profile import Profile

EXIT_CODE = 3
# GM/T 0003.5-2012, annex A: the recommended curve with SM3.
D = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"
X = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
Y = "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
E = "F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640"
R = "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
S = "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
MESSAGE = b"message digest"
# GB/T 32905-2016, annex A.1; GB/T 32907-2016, annex A.1.
SM3_ABC = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
SM4_KEY = SM4_PLAIN = "0123456789abcdeffedcba9876543210"
SM4_CIPHER = "681edf34d206965e86b3e94f536e4246"
SHA256_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class SelfTestFailed(Exception):  # noqa: N818 - reads as what it says
    """A known answer came out wrong: nothing that this machine signs or checks can be relied on."""


def run(profile: Profile) -> None:
    """Look at everything that a profile stands on.

    Raises:
        SelfTestFailed: With the name of what is wrong.
    """
    checks: dict[str, Callable[[], bool]] = {"signature": lambda: _round_trip(profile), "seal": lambda: _seal(profile)}
    if profile is profiles.G:
        checks |= {"SM2": _sm2, "SM3": _sm3, "SM4": _sm4}
    else:
        checks |= {"SHA-256": lambda: hashlib.sha256(b"abc").hexdigest() == SHA256_ABC}
    for name, check in checks.items():
        try:
            is_right = check()
        except Exception as error:  # noqa: BLE001 - whatever the library throws, the answer is no
            raise SelfTestFailed(f"{name}: {type(error).__name__}") from None
        if not is_right:
            raise SelfTestFailed(name)


def _round_trip(profile: Profile) -> bool:
    key = profile.generate()
    signature = key.sign(b"self-test")
    return key.public.verifies(signature, b"self-test") and not key.public.verifies(signature, b"another")


def _seal(profile: Profile) -> bool:
    key = bytes(range(32))
    sealed = profile.seal(key, b"self-test", b"here")
    try:
        profile.open(key, sealed, b"there")
    except profiles.SealWrong:
        return profile.open(key, sealed, b"here") == b"self-test"
    return False


def _sm2() -> bool:
    key = Sm2Public(bytes.fromhex(X + Y))
    signature = bytes.fromhex(R + S)
    return (
        key.digest(MESSAGE).hex().upper() == E
        and key.verifies(signature, MESSAGE)
        and not key.verifies(signature, b"message digesT")
    )


def _sm3() -> bool:
    return hashlib.new("sm3", b"abc").hexdigest() == SM3_ABC


def _sm4() -> bool:
    # ECB of one block is the block cipher itself, which is what the standard's example shows.
    block = Cipher(ciphers.SM4(bytes.fromhex(SM4_KEY)), modes.ECB()).encryptor()  # noqa: S305 - of one block
    return (block.update(bytes.fromhex(SM4_PLAIN)) + block.finalize()).hex() == SM4_CIPHER
