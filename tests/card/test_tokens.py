"""Codes as bytes: published vectors, what we write, and what we never read."""

from __future__ import annotations

import base64
import json
import random
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import cbor2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kernel.errors import Unavailable
from services.card import cose, tokens
from services.card.crypto import profile as profiles
from services.card.crypto.algorithms import ES256
from services.card.crypto.es256 import Es256Public
from services.card.domain.verification import Detail
from services.card.keyring import FILE, KeyRing, KeyState, KeysWrong, Purpose, SigningKey, create_keys
from services.card.tokens import CONTEXT, PREFIX, Token
from tests.card.rings import OTHERS, Memory, a_ring, turned

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = Token(b"\x01" * 8, 1_790_000_000, 60, b"\x02" * 8, 1)
FUZZ = 10_000  # for each profile
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture(scope="module", params=list(profiles.PROFILES.values()), ids=lambda one: one.name)
def ring(request: pytest.FixtureRequest) -> KeyRing:
    """Keys of their own, of either profile."""
    return a_ring(request.param)


def active(ring: KeyRing) -> SigningKey:
    """The key that signs codes."""
    return ring.active(Purpose.TOKEN)


def parts(text: str) -> list[Any]:
    """The four parts of a code."""
    message: list[Any] = cbor2.loads(cose.base45_read(text.removeprefix(PREFIX)))
    return message


def text_of(message: Any) -> str:
    """A code with these parts."""
    return PREFIX + cose.base45_write(cose.write(message))


def signed(ring: KeyRing, fields: Any, *, context: bytes = CONTEXT, header: Any = None, payload: bytes = b"") -> str:
    """A code that our key signed, whatever it says."""
    key = active(ring)
    protected = cose.write(header or {1: key.public.alg, 4: key.kid})
    payload = payload or cose.write(fields)
    return text_of([protected, {}, payload, ring.sign(key, cose.to_be_signed(protected, context, payload))])


@pytest.mark.parametrize(
    ("data", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0")]
)
def test_base45_is_that_of_rfc_9285(data: bytes, text: str) -> None:
    assert (cose.base45_write(data), cose.base45_read(text)) == (text, data)


@pytest.mark.parametrize("text", ["GGW", ":::", "A", "AAAA", "bb8", "BB8\n", "ＢＢ８", "ZZ", "é"])
def test_base45_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(cose.Malformed):
        cose.base45_read(text)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (1_000_000, "1a000f4240"),
        (-7, "26"),
        (b"\x01\x02\x03\x04", "4401020304"),
        ("IETF", "6449455446"),
        ([1, [2, 3]], "8201820203"),
        ({1: 2, 3: 4}, "a201020304"),
    ],
)
def test_cbor_is_that_of_rfc_8949(value: Any, encoded: str) -> None:
    assert cose.write(value).hex() == encoded
    assert cose.read(bytes.fromhex(encoded)) == value


@pytest.mark.parametrize(
    "encoded",
    [
        "",  # nothing
        "0102",  # trailing bytes
        "1801",  # longer than needed
        "190018",
        "5801ff",
        "9fff",  # indefinite
        "5f4101ff",
        "bfff",
        "a201020103",  # a key twice
        "a203010102",  # keys out of order
        "c001",  # a tag
        "d9d9f701",
        "d81e820100",  # a rational, which the decoder would build
        "f90000",  # a float
        "fb0000000000000000",
        "f4",  # simple values
        "f6",
        "8181818101",  # five levels
        "9affffffff",  # bombs
        "9bffffffffffffffff",
        "5affffffff",
        "7b7fffffffffffffff",
        "bb7fffffffffffffff",
        "84" * 300,
        "61ff",  # text that is none
        "1c",  # reserved
        "82",  # cut off
        "19ff",
    ],
)
def test_cbor_of_another_form_is_refused_without_much_memory(encoded: str) -> None:
    tracemalloc.start()
    with pytest.raises(cose.Malformed):
        cose.read(bytes.fromhex(encoded))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 64 * 1024


def test_a_code_says_what_was_minted_and_is_small(ring: KeyRing) -> None:
    text = tokens.mint(TOKEN, ring)

    assert tokens.read(text, ring) == TOKEN
    assert len(cose.base45_read(text.removeprefix(PREFIX))) <= 120
    assert set(text) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


def test_a_code_is_a_cose_sign1_as_the_standard_writes_it(ring: KeyRing) -> None:
    protected, unprotected, payload, signature = parts(tokens.mint(TOKEN, ring))

    structure = cbor2.dumps(["Signature1", protected, b"NT1/S", payload], canonical=True)
    assert (cbor2.loads(protected), unprotected) == ({1: ring.profile.alg, 4: active(ring).kid}, {})
    assert cbor2.loads(payload) == [1, TOKEN.reference, TOKEN.iat, 60, TOKEN.number, 1, 0]
    assert active(ring).public.verifies(signature, structure)


@pytest.mark.parametrize(
    ("spoil", "detail"),
    [
        (lambda _: "", Detail.MALFORMED),
        (lambda text: text.lower(), Detail.MALFORMED),
        (lambda text: text.removeprefix(PREFIX), Detail.MALFORMED),
        (lambda text: "NTD1:" + text.removeprefix(PREFIX), Detail.MALFORMED),
        (lambda text: text + "0" * 600, Detail.MALFORMED),
        (lambda text: text + "00", Detail.MALFORMED),
        (lambda text: text_of([*parts(text), 1]), Detail.MALFORMED),
        (lambda text: text_of(parts(text)[:3]), Detail.MALFORMED),
        (lambda text: text_of([parts(text)[0], {1: 1}, *parts(text)[2:]]), Detail.MALFORMED),
        (lambda text: text_of([*parts(text)[:3], parts(text)[3][:-1]]), Detail.MALFORMED),
        (lambda text: text_of([*parts(text)[:3], bytes(64)]), Detail.BAD_ISSUER_SIGNATURE),
        (lambda text: text_of([*parts(text)[:3], b"\xff" * 64]), Detail.BAD_ISSUER_SIGNATURE),
        (
            lambda text: text_of([*parts(text)[:3], parts(text)[3][:32] + N.to_bytes(32, "big")]),
            Detail.BAD_ISSUER_SIGNATURE,
        ),
        (
            lambda text: text_of([cose.write({1: ES256, 4: b"none"}), {}, *parts(text)[2:]]),
            Detail.UNKNOWN_KEY,
        ),
        (lambda text: text_of([cose.write({1: ES256}), {}, *parts(text)[2:]]), Detail.MALFORMED),
        (lambda text: text_of([cose.write([1]), {}, *parts(text)[2:]]), Detail.MALFORMED),
    ],
)
def test_a_spoiled_code_is_not_read(ring: KeyRing, spoil: Any, detail: Detail) -> None:
    assert tokens.read(spoil(tokens.mint(TOKEN, ring)), ring) is detail


@pytest.mark.parametrize("algorithm", [-8, -35, -36, -65537, -7, 0, 5, None])
def test_threat_12_the_key_decides_the_algorithm(ring: KeyRing, algorithm: int | None) -> None:
    header = {1: algorithm if algorithm is not None else "none", 4: active(ring).kid}
    if algorithm == ring.profile.alg:
        header[1] = -42  # the key's own is no other one

    assert tokens.read(signed(ring, [1], header=header), ring) is Detail.MALFORMED


@pytest.mark.parametrize("context", [b"", b"NT1/C", b"NT1/D", b"NT1/status"])
def test_threat_12_another_artefact_is_no_code(ring: KeyRing, context: bytes) -> None:
    fields = [1, TOKEN.reference, TOKEN.iat, 60, TOKEN.number, 1, 0]

    assert tokens.read(signed(ring, fields, context=context), ring) is Detail.BAD_ISSUER_SIGNATURE


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ([2, 1], Detail.UNSUPPORTED_VERSION),
        ([1], Detail.MALFORMED),
        ({1: 1}, Detail.MALFORMED),
        ([1, b"short", 1, 1, b"n" * 8, 1, 0], Detail.MALFORMED),
        ([1, b"r" * 8, -1, 1, b"n" * 8, 1, 0], Detail.MALFORMED),
        ([1, b"r" * 8, 2**60, 1, b"n" * 8, 1, 0], Detail.MALFORMED),
    ],
)
def test_a_payload_of_another_form_is_told_apart(ring: KeyRing, fields: Any, detail: Detail) -> None:
    assert tokens.read(signed(ring, fields), ring) is detail


def test_threat_12_thousands_of_hostile_codes_are_never_accepted(ring: KeyRing) -> None:
    draw = random.Random(12)
    good = tokens.mint(TOKEN, ring)
    raw = cose.base45_read(good.removeprefix(PREFIX))
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
    slowest = 0.0
    for turn in range(FUZZ):
        match turn % 4:
            case 0:
                spoiled = bytearray(raw)
                for _ in range(draw.randint(1, 3)):
                    spoiled[draw.randrange(len(spoiled))] ^= 1 << draw.randrange(8)
                text = PREFIX + cose.base45_write(bytes(spoiled))
            case 1:
                text = PREFIX + cose.base45_write(draw.randbytes(draw.randint(0, 340)))
            case 2:
                text = PREFIX + "".join(draw.choices(alphabet, k=draw.randint(0, 515)))
            case _:
                text = "".join(chr(draw.randrange(1, 0xD800)) for _ in range(draw.randint(0, 60)))
        if text == good:
            continue
        began = time.thread_time()
        outcome = tokens.read(text, ring)
        slowest = max(slowest, time.thread_time() - began)
        assert isinstance(outcome, Detail), text
    assert slowest < 0.2  # of this thread's own processor, whatever else runs; one needs a millisecond


def test_several_keys_with_one_id_are_each_tried(ring: KeyRing) -> None:
    other = ring.provider.generate(Purpose.TOKEN, ring.profile)
    mine = active(ring)
    stranger = SigningKey(Purpose.TOKEN, mine.label[:8] + "0" * 56, other.public, KeyState.VERIFY_ONLY)
    both = KeyRing(ring.provider, ring.profile, OTHERS, [stranger, *ring.keys])

    assert len(both.with_kid(mine.kid, Purpose.TOKEN)) == 2
    assert tokens.read(tokens.mint(TOKEN, both), both) == TOKEN


def test_a_rotated_key_still_verifies_and_a_withdrawn_one_does_not(ring: KeyRing) -> None:
    text = tokens.mint(TOKEN, ring)

    assert tokens.read(text, turned(ring, {Purpose.TOKEN: KeyState.VERIFY_ONLY})) == TOKEN
    assert tokens.read(text, turned(ring, {Purpose.TOKEN: KeyState.WITHDRAWN})) is Detail.KEY_WITHDRAWN
    assert tokens.read(text, turned(ring, {Purpose.TOKEN: KeyState.PLANNED})) is Detail.UNKNOWN_KEY


def test_the_key_file_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = create_keys(tmp_path)
    first = path.read_bytes()

    assert create_keys(tmp_path).read_bytes() == first
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(PermissionError):
        KeyRing.load(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        ".card.keys.json.lock",
        ".card.root.json.lock",
        FILE,
        "card.root.json",
    ]


def test_a_key_file_of_the_first_release_keeps_its_keys_and_gets_what_it_lacks(tmp_path: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    content = {"token": [{"state": "active", "pem": pem}]} | {
        name: base64.b64encode(name.encode().ljust(32)).decode() for name in ("pairwise", "pin", "request")
    }
    path = tmp_path / FILE
    path.write_text(json.dumps(content))
    path.chmod(0o600)

    create_keys(tmp_path)
    ring = KeyRing.load(tmp_path)

    assert active(ring).public.point == Es256Public(private.public_key()).point
    assert ring.pin_secret == b"pin".ljust(32)
    assert ring.active(Purpose.CARD).public.alg == ES256


def test_keys_without_one_that_signs_are_refused() -> None:
    with pytest.raises(Unavailable) as gone:
        KeyRing(Memory(), profiles.I, OTHERS).active(Purpose.TOKEN)
    assert gone.value.reason == "SIGNING_UNAVAILABLE"
    with pytest.raises(KeysWrong):
        KeyRing(Memory(), profiles.I, {"pin": b"short"})


def test_the_key_id_begins_the_thumbprint_of_rfc_9679() -> None:
    numbers = ec.EllipticCurvePublicNumbers(
        0x65EDA5A12577C2BAE829437FE338701A10AAA375E1BB5B5DE108DE439C08551D,
        0x1E52ED75701163F7F9E40DDF9F341B3DC9BA860AF7E0CA7CA7E9EECD0084D19C,
        ec.SECP256R1(),
    )

    expected = "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec"
    assert profiles.thumb(Es256Public(numbers.public_key())).hex() == expected  # RFC 9679 §6
