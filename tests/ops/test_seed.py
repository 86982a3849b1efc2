"""`hrss seed`: a plausible city, the same for the same seed, written once, never in production."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from collections import Counter
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from hrss.enrollment.v1 import enrollment_events_pb2 as events
from kernel.calendar import Month
from kernel.identity import TEST_REGION, check_credit_code, check_resident_id, normalise_name
from ops.home import ROOT
from ops.seed import people
from ops.seed.main import SeedRefused, seed, settings_of
from ops.seed.people import Plan
from services.enrollment.register import check_division
from services.enrollment.store import people as store
from tests.plugins.databases import owner_fetch
from tests.system import oracle_enrollment

if TYPE_CHECKING:
    from chassis.config import Settings
    from chassis.database import Database
    from tests.plugins.databases import NewDatabase

MONTH = Month(2025, 9)
TODAY = date(2025, 9, 20)
PLAN = Plan(11, 2_500, MONTH, history_years=3, history_every=50)
CITY = list(people.citizens(PLAN, 0, PLAN.persons))
FIRMS = list(people.firms(PLAN))


def test_the_same_seed_is_the_same_city_and_a_larger_one_contains_it() -> None:
    larger = Plan(11, 6_000, MONTH, history_years=3, history_every=50)

    again = list(people.citizens(larger, 0, 2_500))

    assert again == CITY
    assert list(people.citizens(larger, 2_100, 2_300)) == CITY[2_100:2_300]
    assert list(people.firms(larger))[: len(FIRMS)] == FIRMS
    assert list(people.citizens(Plan(12, 10, MONTH), 0, 10)) != CITY[:10]


def test_everybody_has_a_valid_number_of_the_region_of_nobody() -> None:
    for one in CITY:
        checked = check_resident_id(one.id_no, TODAY)
        assert (checked.valid, checked.division) == (True, TEST_REGION)
        assert (checked.birth, checked.sex) == (one.birth, one.sex)
        assert normalise_name(one.name) == one.name
        assert one.id_no not in repr(one)
    assert len({one.id_no for one in CITY}) == len({one.person_id for one in CITY}) == len(CITY)


def test_employers_have_valid_codes_and_sizes_like_those_of_a_city() -> None:
    assert all(check_credit_code(firm.credit_code).valid for firm in FIRMS)
    assert all(check_division(firm.division) for firm in FIRMS)
    assert len({firm.credit_code for firm in FIRMS}) == len({firm.employer_id for firm in FIRMS}) == len(FIRMS)
    sizes = sorted(Counter(job.employer_id for one in CITY for job in one.jobs).values(), reverse=True)

    assert sizes[0] > 20 * sizes[len(sizes) // 2]
    assert sum(sizes[: len(sizes) // 5]) > len(CITY) / 2


def test_employments_follow_one_another_with_a_wage_from_the_start() -> None:
    kinds = Counter(len(one.jobs) for one in CITY)
    for one in CITY:
        assert 18 <= MONTH.year - one.birth.year <= 60
        for job in one.jobs:
            assert PLAN.first_month <= job.start <= (job.end or MONTH) <= MONTH
            assert (job.end is None) == (job.reason is None)
            assert job.wages[0][0] == job.start
        for left, right in pairwise(one.jobs):
            assert left.end is not None
            assert left.end < right.start
    assert 0.02 < kinds[2] / len(CITY) < 0.2
    assert any(one.jobs[-1].end for one in CITY)


def test_history_ends_before_the_city_came_and_has_gaps() -> None:
    remembered = [one for one in CITY if one.history]
    months = [[month for month, _ in one.history] for one in remembered]

    assert all(one.number % 50 == 0 for one in remembered)
    assert all(list(reversed(one)) == sorted(one) and one[0] < PLAN.first_month for one in months)
    assert max(len(one) for one in months) == 36


@pytest.fixture
async def database(new_database: NewDatabase) -> Database:
    """A fresh enrollment database."""
    return await new_database("enrollment")


def _said(settings: Settings, plan: Plan, *, with_facts: bool = False) -> tuple[int, str]:
    """Make a city in a thread of its own, as the command does; who was added and what it said."""
    console = Console(file=io.StringIO(), width=200)
    added = seed(plan, settings, console, with_facts=with_facts, processes=1)
    return added, console.file.getvalue()  # type: ignore[attr-defined] # it is a StringIO


def test_a_city_is_written_once_and_its_books_are_right(new_database: NewDatabase) -> None:
    settings = new_database.settings("enrollment")
    small = Plan(5, 120, MONTH, history_years=1, history_every=10)

    added, said = _said(settings, small)
    again, _ = _said(settings, small)
    more, _ = _said(settings, Plan(5, 150, MONTH, history_years=1, history_every=10))

    assert (added, again, more) == (120, 0, 30)
    assert "no facts are said" in said
    assert "120 persons" in said
    with pytest.raises(SeedRefused, match="seed:5"):
        _said(settings, Plan(6, 10, MONTH))


async def test_what_is_written_is_what_the_service_reads(database: Database) -> None:
    await _in_thread(database, Plan(5, 60, MONTH, history_years=1, history_every=10))

    assert await oracle_enrollment.broken(database.settings.database_owner_url) == {}
    drawn = {one.person_id: one for one in people.citizens(Plan(5, 60, MONTH), 0, 60)}
    rows = await owner_fetch(database, "SELECT * FROM person")
    assert len(rows) == 60
    for row in rows:
        one = drawn[row["person_id"]]
        assert row["id_no_index"] == store.id_no_index(database.sealer, one.id_no)
        assert store.open_name(database.sealer, one.person_id, row["name_sealed"]) == one.name
        assert row["source"] == "seed:5"
    assert await owner_fetch(database, "SELECT FROM outbox") == []
    actions = {row["action"] for row in await owner_fetch(database, "SELECT action FROM audit")}
    assert actions == {"SeedEmployers", "SeedPersons"}


async def test_facts_are_said_when_they_are_asked_for(database: Database) -> None:
    await _in_thread(database, Plan(5, 40, MONTH, history_years=1, history_every=10), with_facts=True)

    rows = await owner_fetch(database, "SELECT subject, payload FROM outbox")
    names = Counter(row["subject"].rpartition(".")[2] for row in rows)
    assert names.keys() >= {"PersonRegistered", "EmployerRegistered", "ParticipationStarted", "AccountCredited"}
    registered = [
        fact
        for row in rows
        if row["subject"].endswith("PersonRegistered")
        for fact in events.PersonRegistered.FromString(row["payload"]).facts
    ]
    assert len(registered) == 40
    assert await oracle_enrollment.broken(database.settings.database_owner_url) == {}


async def _in_thread(database: Database, plan: Plan, *, with_facts: bool = False) -> None:
    await asyncio.to_thread(_said, database.settings, plan, with_facts=with_facts)


def test_production_takes_nobody(new_database: NewDatabase) -> None:
    settings = new_database.settings("enrollment")

    with pytest.raises(SeedRefused, match="production"):
        settings_of(settings.database_url, settings.keys_dir, env="prod")
    with pytest.raises(SeedRefused, match="between 1 and"):
        _said(settings, Plan(1, 0, MONTH))


def test_without_a_platform_the_command_says_what_to_start() -> None:
    command = [sys.executable, "-m", "ops.cli", "seed", "--persons", "10"]

    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={"HRSS_HOME": "/nonexistent", "PATH": ""}
    )

    assert done.returncode == 1
    assert "hrss up" in done.stderr
