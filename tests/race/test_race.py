"""The same thing asked four times at once through two gateways and two of every service: it happens once.

In each round one person is enrolled, gets a card, activates it, loses the job and gets an unemployment benefit; every
one of these steps is asked four times at the same instant, twice as the same request and twice as requests that do not
know of each other. Afterwards rows are counted by their natural keys and facts in the streams by what they are about.

`make test-slow` plays 40 rounds; `make race` plays 1,000 and prints the same figure.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest

from kernel.calendar import Month
from kernel.identity import TEST_REGION, make_credit_code, make_resident_id
from ops.client import IdentityProvider
from ops.secrets import Keys
from tests.race.client import Answer, Door, race
from tests.race.replicas import Replicas, replicas

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from ops.client import Login

pytestmark = pytest.mark.slow  # a platform with two of every service
ROUNDS = int(os.environ.get("RACE_ROUNDS", "40"))
AT_ONCE = 6  # rounds side by side, so 24 calls
NAME = "张示例"
PIN = "258036"
ENROL_DAY, CLAIM_DAY = date(2025, 1, 3), date(2025, 10, 13)
FIRST, LAST_JOB_MONTH = "2025-01", "2025-09"
HISTORY = [*Month.range(Month(2024, 1), Month(2024, 12))]

# What whoever comes second may be told, by step; everything else is a fault of ours.
REFUSALS = {
    "enrol": {"ALREADY_ENROLLED", "REQUEST_IN_PROGRESS", "CONCURRENT_CHANGE"},
    "announce": {"REQUEST_IN_PROGRESS", "CONCURRENT_CHANGE"},
    "activate": {"CARD_STEP_REFUSED", "REQUEST_IN_PROGRESS", "CONCURRENT_CHANGE"},
    "prepare": {"REQUEST_IN_PROGRESS", "CONCURRENT_CHANGE"},
    "approve": {
        "BENEFIT_ALREADY_RUNNING",
        "DETERMINATION_CLOSED",
        "APPROVAL_CLOSED",
        "REQUEST_IN_PROGRESS",
        "CONCURRENT_CHANGE",
    },
}


@dataclass
class Citizen:
    """The person of one round."""

    number: int
    id_no: str
    person_id: str = ""
    enrollment_id: str = ""
    card_id: str = ""
    token: str = ""
    determinations: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Race:
    """Everybody who takes part, and what was answered."""

    doors: tuple[Door, Door]
    logins: dict[str, Login]
    citizens: list[Citizen]
    told: dict[str, Counter[str]] = field(default_factory=dict)
    employer_id: str = ""

    async def token(self, who: str) -> str:
        """Access token of staff or of a partner system."""
        return await self.logins[who].bearer()

    async def run(self, step: Callable[[Citizen], Awaitable[None]]) -> None:
        """One step for everybody, some rounds side by side."""
        places = asyncio.Semaphore(AT_ONCE)

        async def one(citizen: Citizen) -> None:
            async with places:
                await step(citizen)

        async with asyncio.TaskGroup() as group:
            for citizen in self.citizens:
                group.create_task(one(citizen))

    def judge(self, step: str, answers: Iterable[Answer]) -> list[Answer]:
        """Note what was answered, and that nobody was told anything that is not foreseen; the good answers."""
        answers = list(answers)
        noted = self.told.setdefault(step, Counter())
        for one in answers:
            assert one.is_good or one.code in REFUSALS[step], f"{step}: {one.status} {one.body}"
            noted["replayed" if one.is_replayed else one.code or "fresh"] += 1
        return [one for one in answers if one.is_good]

    def judge_one(self, step: str, answers: Iterable[Answer]) -> Answer:
        """The same for a step that one request may do: one key succeeds, and its answer is fresh once."""
        answers = list(answers)
        good = self.judge(step, answers)
        said = [(one.key, one.status, one.code, one.is_replayed) for one in answers]
        assert len({one.key for one in good}) == 1, said
        assert all(one.body == good[0].body for one in good), said
        fresh = sum(not one.is_replayed for one in good)
        assert fresh == 1 or (fresh == 0 and any(one.was_lost for one in good)), said
        self.told[step]["done"] += 1
        return good[0]

    # -- the steps

    async def enrol(self, citizen: Citizen) -> None:
        """Enrol the same person four times: one is new."""
        body = {
            "employer_id": self.employer_id,
            "name": NAME,
            "id_no": citizen.id_no,
            "start_month": FIRST,
            "wage": "6200.00",
            "post": "POST_PRODUCTION",
        }
        answers = await race(
            self.doors, "/v1/enrollments", body, [await self.token("front-office")], f"enrol-{citizen.id_no}"
        )
        enrolled = self.judge_one("enrol", answers).body["enrollment"]
        citizen.person_id, citizen.enrollment_id = enrolled["person_id"], enrolled["enrollment_id"]

    async def announce(self, citizen: Citizen) -> None:
        """Announce the same physical card four times: a card is issued once, and all are told the same one."""
        body = {
            "id_no": citizen.id_no,
            "physical_card_ref": f"RACE-{citizen.number:06d}",
            "event": "PHYSICAL_CARD_EVENT_ISSUED",
            "sequence": 1,
            "payment_enabled": True,
            "simulated": True,
        }
        answers = await race(
            self.doors, "/v1/physical-card-events", body, [await self.token("card-centre")], f"card-{citizen.id_no}"
        )
        cards = {one.body["card_id"] for one in self.judge("announce", answers)}
        assert len(cards) == 1, [one.body for one in answers]
        citizen.card_id = cards.pop()

    async def activate(self, citizen: Citizen) -> None:
        """Activate the same card four times: one does it."""
        path = f"/v1/cards/{citizen.card_id}:activate"
        answers = await race(
            self.doors, path, {"consent": True, "pin": PIN}, [citizen.token], f"activate-{citizen.id_no}"
        )
        self.judge_one("activate", answers)

    async def lose_job(self, citizen: Citizen) -> None:
        """The employment ends."""
        answer = await self.doors[citizen.number % 2].post(
            f"/v1/enrollments/{citizen.enrollment_id}:end",
            {"end_month": LAST_JOB_MONTH, "reason": "END_REASON_DISMISSED"},
            await self.token("front-office"),
        )
        assert answer.is_good, answer.body

    async def prepare(self, citizen: Citizen) -> None:
        """Prepare the same benefit four times: nothing is paid by it, and the two that are one request get one."""
        body = {
            "person_id": citizen.person_id,
            "registration_date": CLAIM_DAY.isoformat(),
            "payee": {"name": NAME, "account": f"6222021001{citizen.number:09d}"},
        }
        maker = f"staff-clerk-{1 + citizen.number % 2}"
        answers = await race(
            self.doors,
            "/v1/determinations:prepare-unemployment",
            body,
            [await self.token(maker)],
            f"prepare-{citizen.id_no}",
        )
        made = {
            one.body["determination"]["determination_id"]: one.body["determination"]["statement_digest"]
            for one in self.judge("prepare", answers)
        }
        assert 1 <= len(made) <= 3  # three different requests
        citizen.determinations = list(made.items())

    async def approve(self, citizen: Citizen) -> None:
        """Approve all that was prepared at the same instant, by two persons through both gateways: one starts.

        The first two calls are one request that comes twice; the maker of a determination is never its approver.
        """
        others = ("staff-supervisor-1", "staff-clerk-1" if citizen.number % 2 else "staff-supervisor-2")
        made = citizen.determinations
        calls = []
        for number, (which, approver) in enumerate([(0, 0), (0, 0), (1, 1), (2, 0)]):
            determination_id, digest = made[which % len(made)]
            path = f"/v1/determinations/{determination_id}:approve"
            key = f"approve-{citizen.id_no}-{max(1, number)}"
            token = await self.token(others[approver])
            calls.append(self.doors[number % 2].post(path, {"statement_digest": digest}, token, key))
        answers = await asyncio.gather(*calls)
        self.judge_one("approve", answers)


@pytest.fixture(scope="module")
def pair() -> Any:
    """The platform, twice."""
    with replicas() as made:
        yield made


@pytest.fixture
async def contest(pair: Replicas) -> AsyncIterator[Race]:
    """Everybody logged in."""
    platform = pair.platform
    keys = Keys(platform.keys_dir)
    async with httpx.AsyncClient(timeout=30) as http:
        provider = IdentityProvider(platform.issuer, http)
        partners = ("front-office", "card-centre", "test-driver")
        staff = ("staff-clerk-1", "staff-clerk-2", "staff-supervisor-1", "staff-supervisor-2")
        logins = {one: provider.partner(one, keys.password(f"idp-client-{one}")) for one in partners}
        logins |= {one: provider.persona(one) for one in staff}
        birth = date(1985, 1, 1)
        citizens = [
            Citizen(
                number, make_resident_id(TEST_REGION, birth + timedelta(days=number // 400), 2 * (number % 400) + 1)
            )
            for number in range(ROUNDS)
        ]
        doors = pair.doors()
        made = Race(doors, logins, citizens)
        yield made
        for door in doors:
            await door.close()


async def logged_in(pair: Replicas, contest: Race) -> None:
    """Every citizen with a token of a live person."""
    platform = pair.platform
    keys = Keys(platform.keys_dir)
    async with httpx.AsyncClient(timeout=30) as http:
        provider = IdentityProvider(platform.issuer, http)
        secret = keys.password("idp-client-hrss-demo")

        async def log_in(citizen: Citizen) -> None:
            subject = await provider.add_persona(NAME, citizen.id_no, client_id="hrss-demo", secret=secret)
            citizen.token = await provider.persona(subject, acr=3).bearer()

        await contest.run(log_in)


async def on_day(contest: Race, day: date) -> None:
    """Move the business day, and wait until both gateways follow."""
    token = await contest.token("test-driver")
    moved = await contest.doors[0].post("/v1/test-clock", {"business_date": day.isoformat()}, token)
    assert moved.is_good, moved.body
    for door in contest.doors:
        limit = time.monotonic() + 30
        while (await door.get("/v1/test-clock", token)).body["business_date"] != day.isoformat():
            assert time.monotonic() < limit, "a gateway does not follow the clock"
            await asyncio.sleep(0.05)


async def bring_history(contest: Race) -> None:
    """A year of unemployment insurance for everybody, from one file."""
    rows = [f"month,{one.id_no},{NAME},210,{month},6000.00,paid,,," for one in contest.citizens for month in HISTORY]
    head = ("#hrss-history,1", "kind,id_no,name,scheme,month,base,state,employer_code,year,balance")
    content = "\n".join((*head, *rows, f"#totals,{len(rows)},{6000 * len(rows)}.00,0.00", "")).encode()
    token = await contest.token("front-office")
    headers = {"authorization": f"Bearer {token}", "content-type": "text/csv"}
    async with httpx.AsyncClient(timeout=30) as http:
        url = f"http://127.0.0.1:{contest.doors[0].port}/v1/files"
        upload = (await http.post(url, content=content, headers=headers)).raise_for_status().json()
    assert upload["digest"] == hashlib.sha256(content).hexdigest()
    body = {"upload_id": upload["upload_id"], "digest": upload["digest"], "source_system": "race"}
    job = (await contest.doors[0].post("/v1/history-imports", body, token)).body["job"]
    limit = time.monotonic() + 120
    while job["state"] not in {"JOB_STATE_DONE", "JOB_STATE_FAILED"}:
        assert time.monotonic() < limit, job
        await asyncio.sleep(0.1)
        job = (await contest.doors[0].get(f"/v1/enrollment-jobs/{job['job_id']}", token)).body["job"]
    assert (job["state"], int(job["rejected_count"])) == ("JOB_STATE_DONE", 0), job


async def counted(pair: Replicas, service: str, **statements: str) -> dict[str, int]:
    """Numbers from the tables of a service."""
    connection = await asyncpg.connect(pair.ground.databases.owner_urls[service])
    try:
        return {name: await connection.fetchval(statement) for name, statement in statements.items()}
    finally:
        await connection.close()


@pytest.mark.timeout(120 + 2 * ROUNDS)
async def test_what_four_ask_for_at_once_happens_once(
    pair: Replicas, contest: Race, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    await on_day(contest, ENROL_DAY)
    employer = {
        "credit_code": make_credit_code("320601", "MA000RACE"[:8]),
        "name": "南通竞速示例厂",
        "division": "320613",
        "injury_class": 2,
    }
    answer = await contest.doors[0].post("/v1/employers", employer, await contest.token("front-office"))
    contest.employer_id = answer.body["employer"]["employer_id"]

    await contest.run(contest.enrol)
    await bring_history(contest)
    await pair.settled()
    await contest.run(contest.announce)
    await logged_in(pair, contest)
    await contest.run(contest.activate)
    await on_day(contest, CLAIM_DAY)
    await contest.run(contest.lose_job)
    await pair.settled()
    await contest.run(contest.prepare)
    await contest.run(contest.approve)
    await pair.settled()

    duplicates = await duplicates_of(pair, contest)
    told = {step: dict(noted) for step, noted in contest.told.items()}
    seconds = time.monotonic() - begun
    again = sum(door.again for door in contest.doors)
    differing = sum(abs(count) for count in duplicates.values())
    with capsys.disabled():
        sys.stdout.write(
            f"\nrace: {ROUNDS} rounds, 4 at once through 2 replicas, {seconds:.0f} s: {differing} duplicates; "
            f"answers {told}; sent again after a limit or a wait: {again}\n"
        )
    assert duplicates == dict.fromkeys(duplicates, 0)
    for step in ("enrol", "activate", "approve"):
        assert told[step]["done"] == ROUNDS
    assert await duplicates_of_a_spoilt_register(pair, contest) == {"enrollment persons": 1, "enrollment numbers": 1}


async def duplicates_of_a_spoilt_register(pair: Replicas, contest: Race) -> dict[str, int]:
    """What the count says once one person stands in the register twice: the count is not blind."""
    connection = await asyncpg.connect(pair.ground.databases.owner_urls["enrollment"])
    try:
        await connection.execute(
            "INSERT INTO person (person_id, id_no_index, id_no_sealed, name_sealed, birth_date, sex, division)"
            " SELECT gen_random_uuid(), decode(repeat('00', 16), 'hex'), id_no_sealed, name_sealed, birth_date, sex,"
            " division FROM person LIMIT 1"
        )
    finally:
        await connection.close()
    return {name: count for name, count in (await duplicates_of(pair, contest)).items() if count}


async def duplicates_of(pair: Replicas, contest: Race) -> dict[str, int]:
    """By how much every count differs from one a round: rows by natural key, and facts in the streams."""
    people = {one.person_id for one in contest.citizens}
    assert len(people) == ROUNDS
    enrollment = await counted(
        pair,
        "enrollment",
        persons="SELECT count(*) FROM person",
        numbers="SELECT count(DISTINCT id_no_index) FROM person",
        employments="SELECT count(*) FROM employment",
        participations="SELECT count(*) FROM participation",
        employed="SELECT count(DISTINCT (person_id, start_month)) FROM employment",
    )
    cards = await counted(
        pair,
        "card",
        holders="SELECT count(*) FROM holder",
        cards="SELECT count(*) FROM card",
        active="SELECT count(*) FROM card WHERE state = 'ACTIVE'",
        announced="SELECT count(*) FROM physical_event",
        pins="SELECT count(*) FROM pin",
    )
    benefits = await counted(
        pair,
        "benefits",
        persons="SELECT count(*) FROM person",
        benefits="SELECT count(*) FROM benefit",
        entitled="SELECT count(DISTINCT (person_id, kind)) FROM benefit",
        approved="SELECT count(*) FROM determination WHERE state = 'APPROVED'",
    )
    found: dict[str, int] = {}
    for service, counts in (("enrollment", enrollment), ("card", cards), ("benefits", benefits)):
        for name, count in counts.items():
            found[f"{service} {name}"] = count - ROUNDS * (3 if name == "participations" else 1)
    for service, kinds in (
        ("enrollment", {"PersonRegistered": 1, "ParticipationStarted": 3, "ParticipationEnded": 3}),
        ("card", {"CardIssued": 1, "CardActivated": 1}),
        ("benefits", {"BenefitStarted": 1}),
    ):
        facts = await pair.facts(service)
        for kind, each in kinds.items():
            about = facts.get(kind, [])
            found[f"{service} {kind} facts"] = len(about) - ROUNDS * each
            found[f"{service} {kind} about"] = len(set(about)) - ROUNDS * each
    return found
