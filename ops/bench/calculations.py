"""What needs no server: pension statements, codes of cards. One core of this process, no input or output."""

from __future__ import annotations

import os
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.policy import open_policy
from kernel.calendar import Month
from kernel.dated import given
from kernel.money import Money
from ops.bench.result import Row
from ops.home import ROOT
from ops.platform import ASSUMED_VALUES
from services.benefits.calculation import PensionInputs, pension_statement
from services.benefits.domain import pension
from services.benefits.domain.pension import PensionFacts
from services.benefits.domain.retirement import Track
from services.benefits.history import ContributionMonth, History, Standing
from services.benefits.policy import BenefitsPolicy
from services.card import keyring, tokens
from services.card.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ops.bench.main import Options

RETIREMENT = Month(2026, 7)
FROM_INDEX, FROM_BASES = 20_000, 5_000  # statements a second on one core: a city's yearly adjustment in minutes
_BATCH = 20  # calls between two looks at the clock


def statements(options: Options) -> Iterator[Row]:
    """Pension statements with every line explained, from a given index and from 360 monthly bases."""
    policy = BenefitsPolicy(open_policy(ROOT / "policy", ASSUMED_VALUES))
    facts = PensionFacts(
        index=Decimal("1.1234"),
        months=360,
        balance=Money.yuan("150000.00"),
        payout_months=given("payout_months", Decimal(137), RETIREMENT.first_day),
    )
    months = Month.range(RETIREMENT.plus(-359), RETIREMENT)
    history = History(
        tuple(
            ContributionMonth(month, Money(500_000 + 1_000 * number), Standing.PAID)
            for number, month in enumerate(months)
        )
    )
    inputs = PensionInputs(
        birth=Month(1966, 3),
        track=Track.MALE_60,
        retirement_month=RETIREMENT,
        history=history,
        balance=Money.yuan("150000.00"),
    )
    for name, work, limit in (
        ("index", lambda: pension.calculate(facts, policy.pension.rules(RETIREMENT)), FROM_INDEX),
        ("360 bases", lambda: pension_statement(inputs, policy), FROM_BASES),
    ):
        rates = [_once(work, options.seconds) for _ in range(options.rounds)]
        yield Row.of(
            f"pension statement from {name}", rates, "/s", peer="limit, one core", peer_figure=limit, required=1
        )


def codes(options: Options) -> Iterator[Row]:
    """Codes of cards minted and read, beside the bare signature that is in each."""
    with tempfile.TemporaryDirectory() as folder:
        keyring.create_keys(Path(folder))
        keys = keyring.KeyRing.load(Path(folder))
    bare = ec.generate_private_key(ec.SECP256R1())
    ecdsa, message = ec.ECDSA(hashes.SHA256()), os.urandom(80)
    signature, public = bare.sign(message, ecdsa), bare.public_key()
    token = Token(reference=b"r" * 8, iat=1_780_000_000, ttl=60, number=b"n" * 8, level=1)
    code = tokens.mint(token, keys)

    def read() -> None:
        if tokens.read(code, keys) != token:
            raise InvalidSignature

    for name, work, peer in (
        ("minted", lambda: tokens.mint(token, keys), lambda: bare.sign(message, ecdsa)),
        ("verified", read, lambda: public.verify(signature, message, ecdsa)),
    ):
        pairs = [(_once(work, options.seconds), _once(peer, options.seconds)) for _ in range(options.rounds)]
        yield Row.beside(f"card codes {name}", pairs, "/s", "bare ES256 signature of the library")


def _once(work: Callable[[], object], seconds: float) -> float:
    """Calls per second of processor time, so that a neighbour on the machine costs little."""
    count, begun = 0, time.process_time()
    while (spent := time.process_time() - begun) < seconds:
        for _ in range(_BATCH):
            work()
        count += _BATCH
    return count / spent
