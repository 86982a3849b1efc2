"""The timetable: recurring work starts once for each business date, wherever and whenever it is looked at."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chassis import jobs, timekeeper, transaction
from chassis.jobs import Chunk, ChunkResult, Job, JobKind
from chassis.principal import Principal
from chassis.timekeeper import TRIES_MAX, Timekeeper
from chassis.timetable import LAST, Entry, Missed, Owed, Preset, daily, monthly, owed, yearly
from chassis.worker import Worker
from kernel.calendar import SHANGHAI
from kernel.errors import AlreadyExists, PolicyParameterMissing
from tests.chassis.demo import MIGRATIONS
from tests.chassis.test_crash import die
from tests.chassis.victim import a_night
from tests.plugins.databases import owner_execute, owner_fetch

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from chassis.transaction import Transaction
    from tests.plugins.databases import NewDatabase

MONDAY = date(2025, 11, 24)


async def nothing(tx: Transaction) -> UUID:
    """A start that nobody lets happen."""
    raise AssertionError(tx)


def entry(when: str = "daily", **given: Any) -> Entry:
    rhythm = {"daily": daily("02:00"), "monthly": monthly(LAST, "02:00"), "yearly": yearly(1, 2, "02:00")}[when]
    return Entry("work", "工作", "Work", rhythm, given.pop("start", nothing), **given)


EACH = entry(missed=Missed.EACH)
NOON, NIGHT = time(12), time(1, 59, 59)


@pytest.mark.parametrize(
    ("what", "since", "day", "clock", "done", "expected"),
    [
        (EACH, MONDAY, MONDAY, NIGHT, [], None),
        (EACH, MONDAY, MONDAY, time(2), [], Owed(MONDAY, 0)),
        (EACH, MONDAY, MONDAY, NOON, [MONDAY], None),
        # down for three days: in order; the latest alone where one run finds everything
        (EACH, date(2025, 11, 1), MONDAY, NOON, [date(2025, 11, 20)], Owed(date(2025, 11, 21), 0)),
        (entry(), date(2025, 11, 1), MONDAY, NOON, [date(2025, 11, 20)], Owed(MONDAY, 3)),
        (entry(), date(2025, 11, 1), MONDAY, NIGHT, [date(2025, 11, 20)], Owed(date(2025, 11, 23), 2)),
        # ten years later: not more than the reach, and it is said how many are left out
        (EACH, date(2015, 11, 24), MONDAY, NOON, [], Owed(date(2025, 10, 20), 3618)),
        (entry("yearly"), date(2015, 1, 1), MONDAY, NOON, [], Owed(date(2025, 1, 2), 10)),
        (entry("yearly"), date(2015, 1, 1), date(2026, 1, 1), NOON, [date(2025, 1, 2)], None),
        # the last day of a month, however long it is
        (entry("monthly"), date(2024, 2, 1), date(2024, 2, 29), NOON, [], Owed(date(2024, 2, 29), 0)),
        (entry("monthly"), date(2025, 2, 1), date(2025, 3, 30), NOON, [], Owed(date(2025, 2, 28), 0)),
        # a day that was moved back: nothing before it, and nothing that was started on a later day
        (EACH, date(2020, 1, 1), date(2020, 1, 1), time.max, [MONDAY], Owed(date(2020, 1, 1), 0)),
        (EACH, date(2020, 1, 1), MONDAY, time.max, [date(2025, 11, 23), MONDAY], None),
    ],
)
def test_what_is_owed(  # noqa: PLR0917 - the columns of a table
    what: Entry, since: date, day: date, clock: time, done: list[date], expected: Owed | None
) -> None:
    assert owed(what, since, day, clock, done) == expected


def test_what_two_persons_decide_waits_for_a_name_and_money_for_a_switch() -> None:
    plain, paying = entry(), entry(preset=Preset.OFF, prepares=True)
    assert [plain.off(named, "") for named in ("", "-work", "-other, work")] == ["", "NOT_SWITCHED_ON", ""]
    assert [paying.off("", "p"), paying.off("work", ""), paying.off("other,work", "p")] == [
        "NOT_SWITCHED_ON",
        "NO_MAKER",
        "",
    ]


@dataclass
class Night:
    """A service with one entry, whose clock the test holds."""

    database: Database
    entry: Entry
    instant: datetime = field(default_factory=lambda: datetime(2025, 11, 24, 3, tzinfo=SHANGHAI))
    outcome: BaseException | None = None
    fails: bool = False
    started: list[tuple[date, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.entry = replace(self.entry, start=self.start)
        self.keeper = Timekeeper(self.database, [self.entry], now=lambda: self.instant)

    async def start(self, tx: Transaction) -> UUID:
        """What the entry starts, unless the test has a refusal ready."""
        if self.outcome is not None:
            raise self.outcome
        self.started.append((tx.today, tx.principal.natural_person))
        return await jobs.start(tx, "night", chunks=[{}])

    async def work(self) -> None:
        """Let the jobs run."""

        async def chunk(_tx: Transaction, _job: Job, _chunk: Chunk) -> ChunkResult:
            if self.fails:
                raise PolicyParameterMissing("law.yaml", "rate", MONDAY)
            return ChunkResult(done=1)

        worker = Worker(self.database, [JobKind("night", chunk)])
        while await worker.run_one():
            pass

    async def rows(self) -> list[tuple[str, str, int, int, str]]:
        """The starts: day, state, tries, left out, reason."""
        found = await owner_fetch(self.database, "SELECT * FROM timetable_run ORDER BY business_date")
        names = ("state", "attempts", "left_out", "reason")
        return [(f"{row['business_date']:%m-%d}", *(row[name] for name in names)) for row in found]

    async def later(self, **passed: float) -> int:
        """Look again after a while, which is longer than any pause."""
        self.instant += timedelta(**passed)
        await owner_execute(self.database, "UPDATE timetable_run SET due = due - interval '7 hours'")
        return await self.keeper.look()


async def a_service(new_database: NewDatabase, what: Entry, **settings: str) -> Night:
    night = Night(await new_database("demo", migrations=MIGRATIONS, **settings), what)
    await night.keeper.declare()
    return night


async def test_a_start_is_made_once_by_whoever_looks_first(new_database: NewDatabase) -> None:
    night = await a_service(new_database, EACH)
    others = [Timekeeper(night.database, [night.entry], now=lambda: night.instant) for _ in range(6)]

    assert sum(await asyncio.gather(*(one.look() for one in others))) == 1
    assert [await one.look() for one in others] == [0] * 6
    assert (await owner_fetch(night.database, "SELECT count(*) FROM job"))[0][0] == 1
    # Also where the lock of the entry is lost: the key of the row is the last word.
    await owner_execute(night.database, "UPDATE timetable_entry SET since = '2025-11-01'")
    await night.work()
    assert await night.keeper.look() == 0
    assert await night.rows() == [("11-24", "DONE", 1, 0, "")]

    # Three days away: made up for in order, each once the one before is done, each on its own day.
    night.started.clear()
    for _ in range(5):
        await night.later(days=3 if not night.started else 0)
        await night.work()
    assert [day.day for day, _ in night.started] == [25, 26, 27]
    (shown,) = await transaction.run(
        night.database, timekeeper.listed, principal=Principal.system("demo"), today=MONDAY, read_only=True
    )
    assert (shown["state"], shown["next"]) == ("DONE", datetime(2025, 11, 28, 2, tzinfo=SHANGHAI))


async def test_what_fails_is_seen_and_tried_again_until_it_is_given_up(new_database: NewDatabase) -> None:
    night = await a_service(new_database, EACH)
    night.outcome = PolicyParameterMissing("law.yaml", "rate", MONDAY)
    assert await night.keeper.look() == 1
    assert await night.rows() == [("11-24", "FAILED", 1, 0, "POLICY_PARAMETER_MISSING law.yaml rate 2025-11-24")]
    assert await night.keeper.look() == 0  # not before its pause is over
    assert (await night.rows())[0][2] == 1

    night.outcome, night.fails = None, True  # it starts now, and its job fails
    await night.later()
    await night.work()
    await night.later()
    assert (await night.rows())[0][1:3] == ("FAILED", 2)
    for _ in range(3 * TRIES_MAX):
        await night.later()
        await night.work()
    assert (await night.rows())[0][1:3] == ("GIVEN_UP", TRIES_MAX)
    assert (await owner_fetch(night.database, "SELECT count(*) FROM job"))[0][0] == 1  # one job, resumed

    # What nobody mends does not hold up the days after it; a job that somebody resumes is taken note of.
    night.fails = False
    assert await night.later(days=1) == 1
    await night.work()
    job_id = (await owner_fetch(night.database, "SELECT id FROM job ORDER BY created LIMIT 1"))[0]["id"]

    async def by_hand(tx: Transaction) -> None:
        await jobs.resume(tx, job_id)

    await transaction.run(night.database, by_hand, principal=Principal.system("demo"), today=MONDAY)
    await night.work()
    await night.later()
    assert [row[:2] for row in await night.rows()] == [("11-24", "DONE"), ("11-25", "DONE")]

    night.outcome = AlreadyExists("RUN_EXISTS", "by hand")
    assert await night.later(days=1) == 1
    assert (await night.rows())[-1] == ("11-26", "NEEDLESS", 1, 0, "RUN_EXISTS")


async def test_a_day_that_is_moved_starts_what_it_brings_and_not_what_lies_between(new_database: NewDatabase) -> None:
    night = await a_service(new_database, entry(prepares=True), timetable_maker="p-li", env="test")

    async def to(day: date | None) -> int:
        await transaction.run(
            night.database,
            lambda tx: timekeeper.move_day(tx, day),
            principal=Principal.system("demo"),
            today=MONDAY,
        )
        count = await night.keeper.look()
        await night.work()
        await night.keeper.look()
        return count

    assert await to(None) == 1
    assert await to(date(2024, 1, 1)) == 1  # back: nothing before it is owed
    assert await to(date(2024, 6, 1)) == 1  # months on: one run, and it is said what it stands for
    assert await to(date(2024, 6, 1)) == 0
    assert await to(None) == 0  # the real day had its start
    assert await night.rows() == [
        ("01-01", "DONE", 1, 0, ""),
        ("06-01", "DONE", 1, 151, ""),
        ("11-24", "DONE", 1, 0, ""),
    ]
    assert night.started == [(day, "p-li") for day in (MONDAY, date(2024, 1, 1), date(2024, 6, 1))]


@pytest.mark.slow
@pytest.mark.parametrize("point", ["timetable_booked", "timetable_started", "before_commit:2", "after_commit:2"])
async def test_a_process_that_dies_between_a_start_and_its_job_starts_it_once(
    new_database: NewDatabase, point: str
) -> None:
    database = await new_database("demo", migrations=MIGRATIONS)
    die(database, "timetable", point)

    counts = "SELECT (SELECT count(*) FROM timetable_run), (SELECT count(*) FROM job)"
    assert tuple((await owner_fetch(database, counts))[0]) in {(0, 0), (1, 1)}
    await a_night(database)
    await a_night(database)
    assert tuple((await owner_fetch(database, counts))[0]) == (1, 1)
    assert [row["state"] for row in await owner_fetch(database, "SELECT state FROM job")] == ["DONE"]
    assert len(await owner_fetch(database, "SELECT 1 FROM stroke")) == 1
