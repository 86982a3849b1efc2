"""Cards of the time before status lists get their places, by a job that a kill does not disturb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import transaction
from chassis.jobs import JobKind
from chassis.principal import Principal
from chassis.worker import Worker
from services.card.operations import placing
from services.card.service import open_office
from tests.card.builders import CANCELLED, LOST, TODAY
from tests.plugins.databases import owner_execute

if TYPE_CHECKING:
    from chassis.jobs import Chunk, ChunkResult, Job
    from chassis.transaction import Transaction
    from tests.card.builders import Desk

SYSTEM = Principal.system("card")


async def test_cards_without_a_place_get_one_each_whatever_happens_on_the_way(desk: Desk) -> None:
    """Five old cards, one suspended and one cancelled since; a part that dies after its work is done again."""
    people = [await desk.person() for _ in range(6)]
    for person in people:
        await desk.issued(person)
    await owner_execute(
        desk.database,
        f"DELETE FROM binding WHERE card_id IN (SELECT card_id FROM card WHERE person_id <> '{people[5].person_id}')",
    )
    await owner_execute(
        desk.database,
        "INSERT INTO card_unplaced SELECT card_id FROM card WHERE card_id NOT IN (SELECT card_id FROM binding)",
    )
    await desk.announce(people[1], LOST)
    await desk.announce(people[2], CANCELLED)
    office = open_office(desk.database.settings)
    died: list[int] = []

    async def dying(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        result = await placing.job(office, size=2).run_chunk(tx, job, chunk)
        if chunk.number == 2 and not died:
            died.append(chunk.number)
            raise RuntimeError("killed here")
        return result

    assert [await _begin(desk) for _ in range(2)] == [True, False]
    worker = Worker(desk.database, [JobKind(placing.JOB, dying)])
    for _ in range(2):  # the part that died is due again later; it is not waited for
        while await worker.run_one():
            assert len(died) <= 1
        await owner_execute(desk.database, "UPDATE job_chunk SET due = now() WHERE state = 'QUEUED'")

    assert await desk.rows("SELECT 1 FROM card_unplaced") == []
    placed = await desk.rows(
        """
        SELECT card.state, list_no, idx, binding.reference = card.reference AS is_own,
               status = status_of(card.state) AS fits
        FROM card LEFT JOIN binding USING (card_id) ORDER BY card_id
        """
    )
    assert [row["list_no"] is None for row in placed] == [row["state"] == "CANCELLED" for row in placed]
    given = [row for row in placed if row["list_no"] is not None]
    assert len(given) == len({(row["list_no"], row["idx"]) for row in given}) == 5
    assert all(row["is_own"] and row["fits"] for row in given)
    job = await desk.rows("SELECT state FROM job")
    assert [row["state"] for row in job] == ["DONE"]
    assert died == [2]
    assert not await _begin(desk)


async def _begin(desk: Desk) -> bool:
    return await transaction.run(desk.database, placing.begin, principal=SYSTEM, today=TODAY, method="start")
