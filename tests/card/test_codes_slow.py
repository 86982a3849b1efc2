"""Long tests of codes: a million hostile ones, a thousand races of one code, and pictures read by somebody else."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import segno
import zxingcpp

from services.card import cose, credentials, tokens
from services.card.credentials import Credential, Presentation
from services.card.crypto import profile as profiles
from services.card.domain.verification import Detail
from services.card.tokens import Token
from tests.card.code_desk import Codes, with_profile
from tests.card.rings import a_ring
from tests.card.test_verifying import told
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from services.card.keyring import KeyRing
    from tests.plugins.databases import NewDatabase

INPUTS = 1_000_000
ROUNDS = 1_000
PICTURES, READ_LEAST, PIXELS, QUIET = 60, 58, 320, 4
NOW = 1_795_400_000
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


@pytest.fixture
def desk(code_desk: Codes) -> Codes:
    """The desk of codes, with one profile after the other."""
    return code_desk


def a_code(ring: KeyRing, draw: random.Random) -> str:
    """A code that a device made."""
    device = ring.profile.generate()
    fields = Credential(
        reference=draw.randbytes(8),
        iat=NOW,
        exp=NOW + 30 * 86_400,
        device_key=device.public.point,
        list_no=draw.randrange(1, 6),
        index=draw.randrange(2**20),
        level=1,
        masked_name="赵**一",
        last4="001X",
    )
    return credentials.present(credentials.issue(fields, ring), device, NOW, draw.randbytes(6), draw.randbytes(8))


def picture(text: str) -> NDArray[np.uint8]:
    """A code as a screen of 320 pixels shows it: level L, quiet zone of four, nearest pixel."""
    code = segno.make(text, error="l", mode="alphanumeric", boost_error=False, micro=False, mask=3)
    assert int(code.version) <= 10
    modules = np.array([[not dark for dark in row] for row in code.matrix_iter(border=QUIET)], np.uint8) * 255
    places = (np.arange(PIXELS) * len(modules)) // PIXELS
    drawn: NDArray[np.uint8] = modules[np.ix_(places, places)]
    return drawn


def blurred(image: NDArray[np.uint8], draw: np.random.Generator) -> NDArray[np.uint8]:
    """The same with the noise of a poor camera."""
    return np.clip(image + draw.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def read(image: NDArray[np.uint8]) -> str:
    """What an independent decoder reads."""
    found = zxingcpp.read_barcodes(image)
    return str(found[0].text) if found else ""


@pytest.mark.parametrize(
    "profile", [profiles.I, pytest.param(profiles.G, marks=pytest.mark.slow)], ids=lambda one: one.name
)
def test_pictures_of_codes_are_read_by_an_independent_decoder(profile: profiles.Profile) -> None:
    ring, draw = a_ring(profile), random.Random(320)
    noise = np.random.default_rng(320)
    codes = [a_code(ring, draw) for _ in range(PICTURES)]

    images = [picture(code) for code in codes]

    plain = sum(read(image) == code for image, code in zip(images, codes, strict=True))
    noisy = sum(read(blurred(image, noise)) == code for image, code in zip(images, codes, strict=True))
    minted = tokens.mint(Token(b"r" * 8, NOW, 60, b"n" * 8, 1), ring)

    assert plain >= READ_LEAST
    assert noisy >= READ_LEAST
    assert int(segno.make(minted, error="l", mode="alphanumeric", boost_error=False).version) <= 6
    assert read(picture(minted)) == minted


def hostile(good: list[str], draw: random.Random) -> str:
    """Something that is no code: spoiled bytes, spoiled text, spoiled structure, noise."""
    text = draw.choice(good)
    prefix, raw = text[:5], None
    match draw.randrange(8):
        case 0 | 1:
            raw = bytearray(cose.base45_read(text[5:]))
            for _ in range(draw.randint(1, 4)):
                raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
        case 2:
            raw = bytearray(cose.base45_read(text[5:]))
            del raw[draw.randrange(len(raw)) :]
        case 3:
            raw = bytearray(draw.randbytes(draw.randrange(340)))
        case 4:
            raw = bytearray(bytes([draw.choice([0x84, 0x85, 0x9A, 0xBB, 0xD2, 0x9F])]) + draw.randbytes(30))
        case 5:
            prefix = draw.choice(["NTS1:", "NTD1:", "nts1:", "", "NTX1:"])
        case 6:
            place = draw.randrange(len(text))
            return text[:place] + chr(draw.randrange(32, 0x3000)) + text[place + 1 :]
        case _:
            return prefix + "".join(
                draw.choices("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", k=draw.randrange(530))
            )
    return prefix + (cose.base45_write(bytes(raw)) if raw is not None else text[5:])


@pytest.mark.slow
def test_threat_12_a_million_hostile_codes_crash_nothing_and_none_is_accepted() -> None:
    """Most of them against profile I, whose arithmetic is quick; 99 of 100 are answered in less than 5 ms."""
    began, seed = time.monotonic(), 1_000_000
    draw, slow, accepted = random.Random(seed), 0, []
    for profile, count in ((profiles.I, INPUTS * 19 // 20), (profiles.G, INPUTS // 20)):
        ring = a_ring(profile)
        good = [a_code(ring, draw) for _ in range(20)]
        good += [tokens.mint(Token(draw.randbytes(8), NOW, 60, draw.randbytes(8), 1), ring) for _ in range(20)]
        known = set(good)
        readers: dict[bool, Callable[[str, KeyRing], Any]] = {True: credentials.read, False: tokens.read}
        for _ in range(count):
            text = hostile(good, draw)
            if text in known:
                continue
            started = time.thread_time()
            outcome = readers[text.startswith("NTD1:")](text, ring)
            slow += time.thread_time() - started > 0.005
            if not isinstance(outcome, Detail):
                accepted.append(text)
    assert accepted == [], f"seed {seed}"
    assert slow <= INPUTS // 100, f"{slow} slow ones in {time.monotonic() - began:.0f} s"


@pytest.mark.slow
async def test_threat_01_one_code_at_two_replicas_a_thousand_times_is_accepted_a_thousand_times(
    desk: Codes, new_database: NewDatabase
) -> None:
    """Codes of both kinds, each at the same instant at two processes that share the database."""
    person = await desk.person()
    card_id = await desk.active(person)
    phone = await desk.bind(person, card_id)
    other = new_database.opened(desk.database.settings)
    accepted = 0
    async with serve(with_profile(other.settings, desk.office.keys.profile.name), database=other) as running:
        there = Codes(other, running, desk.keys, desk.office)
        for turn in range(ROUNDS):
            code = phone.shows() if turn % 2 else await desk.mint(person, card_id)
            answers = await asyncio.gather(desk.verify(code), there.verify(code))
            said = sorted(told(one)[1] for one in answers)
            assert said == ["OK", "REPLAYED"], turn
            accepted += said.count("OK")
    assert accepted == ROUNDS
    assert isinstance(credentials.read(phone.shows(), desk.office.keys), Presentation)
