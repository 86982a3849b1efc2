"""What a day brings for all cards: validity ends, losses lapse; the migration of suspended cards."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import services.card
from chassis import jobs, migrate, transaction
from chassis.policy import open_policy
from chassis.principal import Principal
from chassis.worker import Worker
from services.card.operations import daily
from services.card.policy import CardPolicy
from services.card.service import open_office
from tests.card.builders import LOST, TODAY
from tests.card.test_life import state
from tests.plugins.databases import owner_execute, owner_fetch
from tests.system.oracle_card import violations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.jobs import Job
    from services.card.operations.office import Office
    from tests.card.builders import Desk
    from tests.plugins.databases import NewDatabase

VERSIONS = Path(services.card.__file__).parent / "migrations" / "versions"
LAW = Path(services.card.__file__).parents[2] / "policy"
OLD = "cardbefore"  # the name of a service whose database stops before the migration


async def day_comes(desk: Desk, office: Office, day: date, size: int = 2) -> Job:
    """Let the job of a day run to its end, in chunks of so many cards."""

    async def run(step: Any) -> Any:
        return await transaction.run(desk.database, step, principal=Principal.system("card"), today=day)

    job = await run(lambda tx: daily.start(tx, office))
    assert (await run(lambda tx: daily.start(tx, office))).id == job.id  # a day is begun once
    worker = Worker(desk.database, [daily.job(office, size=size)])
    while await worker.run_one():
        pass
    done: Job = await run(lambda tx: jobs.get(tx, job.id))
    assert done.state == "DONE"
    return done


def lapsing(desk: Desk, tmp_path: Path, days: int) -> Office:
    """An office whose law lets temporary losses lapse after so many days."""
    office = open_office(desk.database.settings)
    folder = tmp_path / f"policy-{days}"
    folder.mkdir()
    for file in LAW.iterdir():
        if file.is_file():
            text = file.read_text()
            if file.name == "ecard.yaml":
                before = "value: 0, confidence: assumed"
                assert text.count(before) == 1
                text = text.replace(before, f"value: {days}, confidence: assumed")
            (folder / file.name).write_text(text)
    changed = CardPolicy(open_policy(folder, None))
    assert changed.temp_loss_days.on(TODAY).value == days
    return type(office)(**{name: getattr(office, name) for name in office.__slots__} | {"policy": changed})


async def test_what_is_over_expires_and_a_loss_lapses_only_when_the_law_says_so(desk: Desk, tmp_path: Path) -> None:
    people = [await desk.person() for _ in range(5)]
    cards = [await desk.active(one) for one in people]
    last_day = date(TODAY.year + 10, TODAY.month, TODAY.day)
    for card_id, person in zip(cards[:3], people[:3], strict=True):
        await desk.do("ReportLoss", card_id, person.acting(2))
    await desk.announce(people[1], LOST)  # keeps the card suspended when the holder's own report lapses
    await desk.announce(people[3], LOST)  # is no report of anybody: it never lapses
    never = open_office(desk.database.settings)

    async def states() -> Sequence[str]:
        return [(await state(desk, one)).removeprefix("SUSPENDED_") for one in cards]

    assert (await day_comes(desk, never, TODAY + timedelta(days=300))).done_count == 0
    law = lapsing(desk, tmp_path, 30)
    assert (await day_comes(desk, law, TODAY + timedelta(days=29))).done_count == 0
    assert await states() == ["TEMP", "TEMP", "TEMP", "TEMP", "ACTIVE"]
    assert (await day_comes(desk, law, TODAY + timedelta(days=30))).done_count == 3
    assert await states() == ["ACTIVE", "TEMP", "ACTIVE", "TEMP", "ACTIVE"]
    by = await desk.rows("SELECT suspended_by FROM card WHERE state = 'SUSPENDED_TEMP'")
    assert {row["suspended_by"] for row in by} == {"PHYSICAL"}
    assert (await day_comes(desk, law, last_day)).done_count == 0  # the last day is a day
    assert (await day_comes(desk, law, last_day + timedelta(days=1))).done_count == 5
    assert await states() == ["EXPIRED"] * 5
    assert (await desk.said())[-5:] == ["CardExpired"] * 3 or (await desk.said())[-1] == "CardExpired"
    assert await violations(desk.database.settings.database_owner_url) == []


async def test_cards_that_were_suspended_before_are_temporarily_lost_now(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    """The migration carries what stood in the one state SUSPENDED, with its places in the lists."""
    older = tmp_path / "versions"
    older.mkdir()
    for file in VERSIONS.glob("000[1-4]_*.py"):
        (older / file.name).write_text(file.read_text())
    database = await new_database(OLD, migrations=tmp_path)
    await owner_execute(
        database,
        """
        INSERT INTO holder (person_id, birth_date, name_sealed, id_no_sealed, id_no_index)
          SELECT gen_random_uuid(), '1990-01-01', 'x', 'x', decode(lpad(to_hex(n), 32, '0'), 'hex')
          FROM generate_series(1, 3) AS n;
        INSERT INTO status_list (list_no, key_wrapped, next) VALUES (1, 'x', 10);
        INSERT INTO card (card_id, person_id, issue_no, reference, level, state, state_since, valid_from, valid_to)
          SELECT gen_random_uuid(), person_id, lpad((row_number() OVER ())::text, 20, '3'),
                 substr(id_no_index, 9), 1, 'ISSUED', '2026-01-01', '2026-01-01', '2036-01-01' FROM holder;
        INSERT INTO binding (binding_id, card_id, role, reference, list_no, idx, state, status, bound_date)
          SELECT gen_random_uuid(), card_id, 'server', reference, 1, row_number() OVER (), 'live', 0, '2026-01-01'
          FROM card;
        UPDATE card SET state = 'SUSPENDED', state_before = 'ISSUED', suspended_by = 'HOLDER'
          WHERE card_id IN (SELECT card_id FROM card ORDER BY issue_no LIMIT 2);
        """,
    )

    await migrate.upgrade_async(OLD, database.settings.database_owner_url, f"{OLD}_app", migrations=VERSIONS.parent)

    rows = await owner_fetch(
        database, "SELECT card.state, status FROM card JOIN binding USING (card_id) ORDER BY issue_no"
    )
    assert [tuple(row) for row in rows] == [("SUSPENDED_TEMP", 2), ("SUSPENDED_TEMP", 2), ("ISSUED", 0)]
    with pytest.raises(Exception, match="card_state_check"):
        await owner_execute(database, "UPDATE card SET state = 'SUSPENDED'")
