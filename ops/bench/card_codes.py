"""Codes of cards in both profiles, and the status lists of four million cards: one core of this process, no network.

Each figure stands beside the limit that a city needs of it; what the bare signatures of the library take is the row of
`calculations.codes`.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ops.bench.card_places import AT_ONCE
from ops.bench.result import Row
from services.card import cose, credentials, keyring, status, tokens
from services.card.credentials import Credential
from services.card.crypto import profile as profiles
from services.card.crypto import sm2
from services.card.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ops.bench.ground import Ground
    from ops.bench.main import Options
    from services.card.crypto.algorithms import Private
    from services.card.keyring import KeyRing

MINTED, VERIFIED, SHOWN, SEEN, MINTED_SM2 = 12_000, 8_000, 3_500, 7_000, 2_000  # a second
LISTS_SECONDS, LISTS_KB = 1.0, 70.0
SIZE_S, SIZE_D = 120, 260  # bytes in the code, before Base45
CARDS, NOT_VALID = 4_000_000, 0.01
CHANGES = 5_000
PLACES = 20_000  # a second
PLACE_ROUNDS = 3
NOW = 1_795_400_000
_BATCH = 20


def rows(options: Options) -> Iterator[Row]:
    """Codes of both kinds and lists."""
    with tempfile.TemporaryDirectory() as folder:
        keyring.create_keys(Path(folder))
        for profile in profiles.PROFILES.values():
            if profile is profiles.I or sm2.is_available():
                yield from _codes(keyring.KeyRing.load(Path(folder), profile), options)
        yield from _lists(keyring.KeyRing.load(Path(folder)), options)


def _codes(keys: KeyRing, options: Options) -> Iterator[Row]:
    device, profile = keys.profile.generate(), keys.profile
    token = Token(reference=b"r" * 8, iat=NOW, ttl=60, number=b"n" * 8, level=1)
    minted, shown = tokens.mint(token, keys), _shown(keys, device)

    def cold() -> None:
        keys.seen.clear()
        _good(credentials.read(shown, keys))

    largest = _shown(keys, device, audience=16)
    for name, code, most in (("S", minted, SIZE_S), ("D", shown, SIZE_D), ("D, longest audience", largest, SIZE_D)):
        size = len(cose.base45_read(code.partition(":")[2]))
        note = f"{len(code)} characters; that 58 of 60 pictures are read: tests/card/test_codes_slow.py"
        yield Row(
            f"size of {name}, profile {profile.name}", size, "B", "limit", most, required=1, is_cost=True, note=note
        )
    works: list[tuple[str, Callable[[], object], float]] = [
        ("S minted", lambda: tokens.mint(token, keys), MINTED if profile is profiles.I else MINTED_SM2),
        ("S verified", lambda: _good(tokens.read(minted, keys)), VERIFIED),
        ("D verified", cold, SHOWN),
        ("D verified, credential seen", lambda: _good(credentials.read(shown, keys)), SEEN),
    ]
    for name, work, limit in works:
        required = profile is profiles.I or name == "S minted"
        yield Row.of(
            f"{name}, profile {profile.name}",
            [_rate(work, options.seconds) for _ in range(options.rounds)],
            "/s",
            peer="limit, one core" if required else "",
            peer_figure=limit if required else None,
            required=1 if required else None,
        )


def _shown(keys: KeyRing, device: Private, audience: int = 8) -> str:
    credential = Credential(
        reference=b"r" * 8,
        iat=NOW,
        exp=NOW + 30 * 86_400,
        device_key=device.public.point,
        list_no=3,
        index=status.SIZE - 1,
        level=1,
        masked_name="赵**一",
        last4="001X",
    )
    return credentials.present(credentials.issue(credential, keys), device, NOW, b"number", b"a" * audience)


def _lists(keys: KeyRing, options: Options) -> Iterator[Row]:
    """All lists of four million cards of which one in a hundred is not valid."""
    draw = np.random.default_rng(4_000_000)
    lists = []
    for number in range(-(-CARDS // status.FILL)):
        count = int(min(status.FILL, CARDS - number * status.FILL) * NOT_VALID)
        lists.append((draw.choice(status.SIZE, count, replace=False), draw.integers(1, 3, count)))

    def rebuild() -> int:
        size = 0
        for number, (places, statuses) in enumerate(lists, 1):
            values = np.zeros(status.SIZE, np.uint8)
            values[places] = statuses
            size += len(status.sign(f"https://example.invalid/{number}", status.pack(values), NOW, keys).cwt)
        return size

    spent, size = [], 0
    for _ in range(options.rounds):
        begun = time.process_time()
        size = rebuild()
        spent.append(time.process_time() - begun)
    for name, figures, unit, limit in (
        ("rebuilt", spent, "s", LISTS_SECONDS),
        ("size together", [size / 1000], "kB", LISTS_KB),
    ):
        yield Row.of(
            f"status lists of 4 M cards {name}",
            figures,
            unit,
            peer="limit, one core",
            peer_figure=limit,
            required=1,
            is_cost=True,
            note=f"{len(lists)} lists, 1 % not valid, CWT and JWT signed",
        )


def places(ground: Ground, options: Options) -> Iterator[Row]:
    """Places of lists leased from the database by the block, beside the limit."""
    ground.up()
    process = ground.program(
        "ops.bench.card_places",
        "card-places",
        HRSS_DATABASE_URL=ground.databases.app_urls["card"],
        BENCH_PLACES=str(options.count(200_000)),
        BENCH_ROUNDS=str(min(options.rounds, PLACE_ROUNDS)),
        BENCH_OWNER_URL=ground.databases.owner_urls["card"],
    )
    said = json.loads(str(process.ready["said"]))
    process.child.wait()
    note = "blocks of 500, one transaction each; wall time, one process"
    yield Row.of(
        "places of status lists leased", said["rates"], "/s", peer="limit", peer_figure=PLACES, required=1, note=note
    )
    note = "500 cards to a statement and transaction, the trigger changes the place of each; wall time"
    yield Row.of(
        "status changes of cards, by the set", said["by_set"], "/s", peer="limit", peer_figure=CHANGES, required=1,
        note=note,
    )  # fmt: skip
    note = (
        f"a transaction each, with fact, notice, audit row and trigger; this process {said['milliseconds']:.1f} ms each"
    )
    for name, pairs in (("one by one", said["singly"]), (f"{AT_ONCE} at once", said["at_once"])):
        peer = "commits of two rows by asyncpg, as many at once"
        yield Row.beside(f"status changes of cards, {name}", pairs, "/s", peer, note=note)


def _rate(work: Callable[[], object], seconds: float) -> float:
    count, begun = 0, time.process_time()
    while (spent := time.process_time() - begun) < seconds:
        for _ in range(_BATCH):
            work()
        count += _BATCH
    return count / spent


def _good(read: object) -> None:
    if not isinstance(read, Token | credentials.Presentation):
        raise TypeError("a good code was refused")
