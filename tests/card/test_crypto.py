"""The two profiles against published vectors, the openssl command and everything that is no signature."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from services.card.crypto import es256, libcrypto, selftest, sm2
from services.card.crypto import profile as profiles
from services.card.crypto.algorithms import KeyWrong
from services.card.crypto.sm2 import Sm2Private, Sm2Public
from services.card.keyring import KeyRing
from services.card.service import open_office
from services.card.settings import CardSettings
from tests.card.rings import OTHERS, Memory

if TYPE_CHECKING:
    from pathlib import Path

    from services.card.crypto.profile import Profile

POINT = bytes.fromhex(selftest.X + selftest.Y)
SIGNATURE = bytes.fromhex(selftest.R + selftest.S)
with_sm2 = pytest.mark.skipif(not sm2.is_available(), reason="the system's libcrypto has no SM2")


@pytest.fixture(params=[profiles.I, pytest.param(profiles.G, marks=with_sm2)], ids=lambda one: one.name)
def profile(request: pytest.FixtureRequest) -> Profile:
    """Either profile."""
    one: Profile = request.param
    return one


@with_sm2
def test_sm2_is_that_of_the_standard() -> None:
    """GM/T 0003.5-2012, annex A."""
    public = Sm2Public(POINT)

    assert public.digest(selftest.MESSAGE).hex().upper() == selftest.E
    assert public.verifies(SIGNATURE, selftest.MESSAGE)
    assert Sm2Public.read(public.point).xy == POINT
    private = Sm2Private.read(bytes.fromhex(selftest.D), public.point)
    assert (private.public.xy, private.secret().hex().upper()) == (POINT, selftest.D)
    assert public.verifies(private.sign(b"anything"), b"anything")


def test_sm3_and_sm4_are_those_of_the_standards() -> None:
    """GB/T 32905 annex A, both examples; GB/T 32907 annex A, the first."""
    selftest.run(profiles.G if sm2.is_available() else profiles.I)

    assert hashlib.new("sm3", b"abc").hexdigest() == selftest.SM3_ABC
    assert (
        hashlib.new("sm3", b"abcd" * 16).hexdigest()
        == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    )


@with_sm2
@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl command")
def test_sm2_signatures_and_those_of_the_openssl_command_are_one_kind(tmp_path: Path) -> None:
    def openssl(*words: str) -> bool:
        done = subprocess.run(["openssl", *words], cwd=tmp_path, capture_output=True, check=False)
        return done.returncode == 0

    identity = ["-pkeyopt", f"distid:{sm2.IDENTITY.decode()}"]
    if not openssl("genpkey", "-algorithm", "SM2", "-out", "key.pem"):
        pytest.skip("the openssl command has no SM2")
    assert openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der")
    assert openssl("pkey", "-in", "key.pem", "-pubout", "-out", "public.pem")
    (tmp_path / "text").write_bytes(b"a text")
    sign = ["pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-inkey", "key.pem", "-in", "text", "-out", "theirs"]
    assert openssl(*sign, *identity)
    public = Sm2Public((tmp_path / "public.der").read_bytes()[-64:])

    r, s = decode_dss_signature((tmp_path / "theirs").read_bytes())
    assert public.verifies(r.to_bytes(32, "big") + s.to_bytes(32, "big"), b"a text")

    # And the other way round, with the private number that the command shows.
    shown = subprocess.run(
        ["openssl", "pkey", "-in", "key.pem", "-noout", "-text"], cwd=tmp_path, capture_output=True, check=True
    ).stdout.decode()
    number = shown.partition("priv:")[2].partition("pub:")[0].replace(":", "").replace("\n", "").replace(" ", "")
    ours = Sm2Private.read(bytes.fromhex(number)[-32:].rjust(32, b"\0"), public.point).sign(b"a text")
    r, s = int.from_bytes(ours[:32], "big"), int.from_bytes(ours[32:], "big")
    (tmp_path / "ours").write_bytes(encode_dss_signature(r, s))
    check = ["pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pubin", "-inkey", "public.pem", "-in", "text"]
    assert openssl(*check, "-sigfile", "ours", *identity)


def test_what_is_no_signature_is_no(profile: Profile) -> None:
    key = profile.generate()
    good = key.sign(b"text")
    order = (es256.ORDER if profile is profiles.I else sm2.ORDER).to_bytes(32, "big")
    r, s = int.from_bytes(good[:32], "big"), int.from_bytes(good[32:], "big")

    assert key.public.verifies(good, b"text")
    for bad in (
        b"",
        bytes(64),
        good[:-1],
        good + b"\0",
        good[:32] + bytes(32),
        bytes(32) + good[32:],
        good[:32] + order,
        order + good[32:],
        b"\xff" * 64,
        encode_dss_signature(r, s),
        good[32:] + good[:32],
    ):
        assert not key.public.verifies(bad, b"text")
    assert not key.public.verifies(good, b"texT")
    assert not profile.generate().public.verifies(good, b"text")


def test_what_is_no_point_is_no_key(profile: Profile) -> None:
    good = profile.generate().public.point

    assert profiles.public(profile.alg, good).point == good
    bad = [b"", good[:-1], b"\4" + good[1:], b"\0" * 33, good[:1] + b"\xff" * 32]
    bad.append(b"\2" + _without_y(profile).to_bytes(32, "big"))
    for point in bad:
        with pytest.raises(KeyWrong):
            profiles.public(profile.alg, point)
    with pytest.raises(KeyWrong):
        profiles.public(-8, good)


def _without_y(profile: Profile) -> int:
    """A number that is x of no point."""
    of_p256 = (2**256 - 2**224 + 2**192 + 2**96 - 1, 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B)
    p, b = of_p256 if profile is profiles.I else (sm2.P, sm2.B)
    return next(x for x in range(1, 100) if pow((x**3 - 3 * x + b) % p, (p - 1) // 2, p) != 1)


def test_a_seal_opens_in_its_place_alone(profile: Profile) -> None:
    sealed = profile.seal(b"k" * 32, b"secret", b"here")

    assert profile.open(b"k" * 32, sealed, b"here") == b"secret"
    for key, data, place in (
        (b"k" * 32, sealed, b"there"),
        (b"j" * 32, sealed, b"here"),
        (b"k" * 32, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"here"),
        (b"k" * 32, b"short", b"here"),
    ):
        with pytest.raises(profiles.SealWrong):
            profile.open(key, data, place)


def test_a_wrapped_key_opens_after_a_change_of_profile(profile: Profile) -> None:
    wrapped = KeyRing(Memory(), profile, OTHERS).wrap(b"secret", "status_list|1")

    other = KeyRing(Memory(), profiles.I, OTHERS)
    assert other.unwrap(wrapped, "status_list|1") == b"secret"
    with pytest.raises(profiles.SealWrong):
        other.unwrap(wrapped, "status_list|2")


@with_sm2
@pytest.mark.parametrize("what", ["SM2", "SM3", "SM4", "signature"])
def test_threat_14_a_wrong_known_answer_keeps_the_service_from_starting(
    what: str, keys_dir: Path, monkeypatch: pytest.MonkeyPatch, keys: KeyRing
) -> None:
    """A wrong result of the library is injected where the library is asked."""
    spoils: dict[str, tuple[Any, str, Any]] = {
        "SM2": (selftest, "R", selftest.S),
        "SM3": (selftest, "SM3_ABC", "00" * 32),
        "SM4": (selftest, "SM4_CIPHER", "00" * 16),
        "signature": (libcrypto.Key, "verifies", lambda *_: True),
    }
    monkeypatch.setattr(*spoils[what])
    assert keys.profile is profiles.I
    settings = CardSettings(service="card", env="test", keys_dir=keys_dir, card_crypto_profile="G")

    with pytest.raises(SystemExit) as caught:
        open_office(settings)

    assert caught.value.code == selftest.EXIT_CODE == 3


def test_threat_14_libraries_that_are_banned_are_nowhere_locked() -> None:
    from ops.home import ROOT  # noqa: PLC0415 - the place of this repository

    locked = "".join(path.read_text() for path in sorted((ROOT / "requirements").glob("*.txt"))).lower()

    assert "cryptography==" in locked
    for name in ("gmssl", "easy_gmssl", "easy-gmssl", "pysmx", "gmssl-python"):
        assert f"\n{name}==" not in locked
