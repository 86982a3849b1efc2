"""The set form of a payroll and the form for one person give the same fen, for any population."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.calendar import Month
from services.benefits.calculation import UnemploymentInputs, unemployment_statement
from services.benefits.paying import Limits
from tests.benefits import paying_people
from tests.benefits.builders import TODAY
from tests.benefits.paying_bureau import Bureau
from tests.benefits.paying_people import COMPUTED, LIFE, PAYROLLS, START, Life, Person
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy

FEW, MANY = 60, 2_500
ROUNDS = 41  # of MANY people: more than a hundred thousand
RARE = settings(deadline=None, suppress_health_check=list(HealthCheck))


@dataclass
class City:
    """Benefits that were seeded once; each population is written over them."""

    bureau: Bureau
    size: int
    stored: list[UUID] = field(default_factory=list)
    computed: list[UUID] = field(default_factory=list)
    worth: dict[UUID, dict[Month, int]] = field(default_factory=dict)
    paid_people: int = 0
    paid_months: int = 0

    async def open(self) -> None:
        """Seed as many benefits as a population needs, and compute what each month of unemployment is worth."""
        self.bureau.limits = Limits(jump_percent=10**9)
        await self.bureau.city(self.size * 4)
        self.stored = await self.bureau.benefit_ids()
        known = await owner_fetch(
            self.bureau.database,
            "SELECT benefit_id, inputs FROM benefit JOIN calculation USING (digest) WHERE benefit.kind = $1 ORDER BY 1",
            COMPUTED.value,
        )
        months = list(Month.range(START, PAYROLLS[-1]))
        made: dict[str, dict[Month, int]] = {}
        for row in known:
            if row["inputs"] not in made:
                inputs = UnemploymentInputs.from_plain(json.loads(row["inputs"]))
                totals = {one: unemployment_statement(inputs, one, self.bureau.policy).total.fen for one in months}
                made[row["inputs"]] = totals
            self.worth[row["benefit_id"]] = made[row["inputs"]]
        self.computed = [row["benefit_id"] for row in known]

    def people(self, lives: Sequence[Life], count: int) -> list[Person]:
        """So many people who share some lives."""
        stored, computed = iter(self.stored), iter(self.computed)
        people = []
        for place in range(count):
            life = lives[place % len(lives)]
            found = next(computed if life.kind is COMPUTED else stored, None)
            if found is not None:
                people.append(Person(found, life, place // len(lives), self.worth.get(found, {})))
        return people

    async def agree(self, lives: Sequence[Life], count: int) -> None:
        """Pay two payrolls and compare each payment and deduction with what the one person is owed."""
        people = self.people(lives, count)
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
        self.paid_people += len(people)
        self.paid_months += len(payments)


def _differs(people: Sequence[Person], found: Sequence[asyncpg.Record], owed: Sequence[tuple[object, ...]]) -> object:
    """The first person whose rows are not what is owed, with both; nothing where all agree."""
    got, expected = sorted(tuple(one) for one in found), sorted(owed)  # type: ignore[type-var]
    if got == expected:
        return None
    wrong = {one[0] for one in set(got) ^ set(expected)} or {one[0] for one in got}
    person = next(one for one in people if one.benefit_id in wrong)
    mine = person.benefit_id
    return person, [one[1:] for one in got if one[0] == mine], [one[1:] for one in expected if one[0] == mine]


@pytest.fixture
async def city(database: Database, policy: BenefitsPolicy, request: pytest.FixtureRequest) -> AsyncIterator[City]:
    size = request.param
    made = City(Bureau(database, policy, size=max(10, size // 5)), size)
    await made.open()
    yield made


@pytest.mark.parametrize("city", [FEW], indirect=True)
@settings(RARE, max_examples=2)
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
