"""The set form of a payroll and the form for one person give the same fen, for any population."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kernel.calendar import Month
from ops.seed import benefits as seed
from services.benefits.calculation import UnemploymentInputs, unemployment_statement
from services.benefits.paying import Limits
from services.benefits.store import decisions
from tests.benefits import paying_people
from tests.benefits.builders import TODAY
from tests.benefits.paying_bureau import Bureau
from tests.benefits.paying_people import COMPUTED, LIFE, PAYROLLS, SHARP, START, Computed, Life, Person

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy

FEW, MANY = 60, 2_500
ROUNDS = 41  # of MANY people: more than a hundred thousand
UNEMPLOYED = 8  # different unemployment benefits
RARE = settings(deadline=None, suppress_health_check=list(HealthCheck))


@dataclass
class City:
    """Benefits that were seeded once; each population is written over them."""

    bureau: Bureau
    size: int
    stored: list[UUID] = field(default_factory=list)
    computed: list[Computed] = field(default_factory=list)

    async def open(self) -> None:
        """Seed as many benefits as a population needs, and compute what each month of unemployment is worth."""
        self.bureau.limits = Limits(jump_percent=10**9)
        await self.bureau.city(self.size + self.size // 10)  # a few of them draw no pension
        self.stored = await self.bureau.benefit_ids()
        policy = self.bureau.policy
        made = [seed._unemployed(policy, random.Random(number)).made for number in range(UNEMPLOYED)]
        await self.bureau.run(lambda tx: decisions.add_calculations(tx, made))
        months = list(Month.range(START, PAYROLLS[-1]))
        for one in made:
            inputs = UnemploymentInputs.from_plain(one.inputs)
            worth = {month: unemployment_statement(inputs, month, policy).total.fen for month in months}
            self.computed.append(Computed(one.digest, worth))

    def people(self, lives: Sequence[Life], count: int) -> list[Person]:
        """So many people who share some lives."""
        return [
            Person(
                benefit_id,
                life := lives[place % len(lives)],
                shift := place // len(lives),
                self.computed[shift % len(self.computed)] if life.kind is COMPUTED else None,
            )
            for place, benefit_id in enumerate(self.stored[:count])
        ]

    async def agree(self, lives: Sequence[Life], count: int) -> None:
        """Pay two payrolls and compare each payment and deduction with what the one person is owed."""
        people = self.people(lives, count)
        assert len(people) == count
        connection = await asyncpg.connect(self.bureau.database.settings.database_owner_url)
        try:
            await paying_people.write(connection, people, TODAY)
            await self.bureau.released(str(PAYROLLS[0]))
            await paying_people.go_on(connection, people, TODAY)
            await self.bureau.released(str(PAYROLLS[1]))
            payments = await connection.fetch("SELECT benefit_id, item, month, amount_fen FROM payment")
            deductions = await connection.fetch(
                "SELECT benefit_id, month, deduction.amount_fen FROM deduction JOIN payment USING (payment_id)"
            )
        finally:
            await connection.close()
        owed = [one.owed() for one in people]
        differs = _differs(people, payments, [one for all_, _ in owed for one in all_])
        assert differs is None, f"payments of {differs}"
        differs = _differs(people, deductions, [one for _, all_ in owed for one in all_])
        assert differs is None, f"deductions of {differs}"


def _differs(people: Sequence[Person], found: Sequence[asyncpg.Record], owed: Sequence[tuple[object, ...]]) -> object:
    """The first person whose rows are not what is owed, with both; nothing where all agree."""
    got, expected = sorted(tuple(one) for one in found), sorted(owed)
    if got == expected:
        return None
    wrong = {one[0] for one in set(got) ^ set(expected)} or {one[0] for one in got}
    person = next(one for one in people if one.benefit_id in wrong)
    mine = person.benefit_id
    return person, [one[1:] for one in got if one[0] == mine], [one[1:] for one in expected if one[0] == mine]


@pytest.fixture
async def city(database: Database, policy: BenefitsPolicy, request: pytest.FixtureRequest) -> City:
    made = City(Bureau(database, policy, size=max(10, request.param // 5)), request.param)
    await made.open()
    return made


@pytest.mark.parametrize("city", [FEW], indirect=True)
@settings(RARE, max_examples=1)
@example(lives=SHARP)
@given(lives=st.lists(LIFE, min_size=20, max_size=40))
async def test_the_set_form_pays_what_the_one_person_form_says(city: City, lives: list[Life]) -> None:
    await city.agree(lives, FEW)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("city", [MANY], indirect=True)
@settings(RARE, max_examples=ROUNDS)
@given(lives=st.lists(LIFE, min_size=1, max_size=60))
async def test_the_set_form_pays_what_the_one_person_form_says_to_many(city: City, lives: list[Life]) -> None:
    await city.agree(lives, MANY)
