"""Cards by the batch: prepared by one person, approved by another, issued by a job."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hrss.card.v1 import batches_service_pb2 as pb
from hrss.card.v1 import card_events_pb2 as events
from kernel.errors import AlreadyExists, Forbidden, InvalidInput, NotFound, Refused
from services.card import batch_file
from services.card.batches_rpc import BatchesRpc
from services.card.domain import issuing
from services.card.domain.lifecycle import Physical
from services.card.operations import batch_issuing, batch_judging, batch_preparing
from tests.card.batch_desk import CHECKER, MAKER, csv_of, hold, people

if TYPE_CHECKING:
    from tests.card.batch_desk import Batches

STATES = pb.CardBatchState
PART_ROWS = 100


def counts(batch: pb.CardBatch) -> tuple[int, int, int, int]:
    """Issued, rejected, skipped and open rows, which are all rows."""
    found = batch.issued_count, batch.rejected_count, batch.skipped_count, batch.open_count
    assert sum(found) == batch.row_count
    return found


async def test_a_file_becomes_cards(batches: Batches) -> None:
    known = people(1_203)
    await hold(batches.database, known[:600])
    await hold(batches.database, known[600:], pays=True)

    batch = await batches.prepared(csv_of(known))
    assert (batch.state, batch.row_count, batch.ready_count) == (pb.CARD_BATCH_STATE_PREPARED, 1_203, 1_203)
    assert not await batches.rows("SELECT FROM card")

    await batches.approve(batch)
    await batches.work()
    done = await batches.get(batch.batch_id)

    assert (STATES.Name(done.state), counts(done)) == ("CARD_BATCH_STATE_DONE", (1_203, 0, 0, 0))
    assert await batches.reconcile() == 1_203
    cards = await batches.rows("SELECT * FROM card")
    assert {card["person_id"] for card in cards} == {one.person_id for one in known}
    assert {(card["state"], card["valid_to"].year - card["valid_from"].year) for card in cards} == {("ISSUED", 10)}
    assert sum(card["level"] == 2 for card in cards) == 603
    said = await batches.rows("SELECT payload FROM outbox WHERE subject = 'hrss.card.v1.CardIssued'")
    facts = [events.CardIssued.FromString(row["payload"]).facts for row in said]
    assert max(map(len, facts)) <= 500
    assert {fact.header.version for message in facts for fact in message} == {1}
    moved = await batches.rows("SELECT FROM outbox WHERE subject = 'hrss.card.v1.CardBatchChanged'")
    assert len(moved) >= 4
    everything = b"".join(row["payload"] for row in await batches.rows("SELECT payload FROM outbox"))
    everything += str([tuple(row) for row in await batches.rows("SELECT * FROM audit")]).encode()
    everything += str([tuple(row) for row in await batches.rows("SELECT * FROM card_batch_part")]).encode()
    assert not any(one.id_no.encode() in everything for one in known)


async def test_the_register_is_served_as_far_as_the_rule_goes(batches: Batches) -> None:
    ready, lost, none, there = people(1_101), people(2, 2_000), people(3, 3_000), people(4, 4_000)
    await hold(batches.database, ready)
    await hold(batches.database, lost, "LOST")
    await hold(batches.database, none, None)
    await hold(batches.database, there)
    await batches.done(csv_of(there))

    batch = await batches.prepared()
    left = {one.reason: one.person_count for one in batch.left_out}
    assert (batch.row_count, batch.ready_count) == (1_101, 1_101)
    assert left == {"PHYSICAL_LOST": 2, "PHYSICAL_MISSING": 3, "CARD_EXISTS": 4}
    # Between dry run and run: one card is lost, one person gets a card by another batch.
    await batches.rows("UPDATE holder SET physical_state = 'LOST' WHERE person_id = $1", ready[0].person_id)
    await batches.done(csv_of(ready[1_050:1_051]))

    await batches.approve(batch)
    await batches.work()
    done = await batches.get(batch.batch_id)

    assert counts(done) == (1_099, 1, 1, 0)
    assert await batches.rejects(batch.batch_id) == [(1, "PHYSICAL_LOST")]
    assert await batches.reconcile() == 1_104
    again = await batches.prepared()
    assert again.row_count == 0


async def test_bad_rows_are_rejected_each_with_its_reason(batches: Batches) -> None:
    good, dead, lost, merged, unknown, there = people(6)
    await hold(batches.database, [good])
    await hold(batches.database, [merged, there])
    await hold(batches.database, [lost], "LOCKED")
    await hold(batches.database, [dead], "CANCELLED")
    await batches.rows("UPDATE holder SET survivor_id = $1 WHERE person_id = $2", good.person_id, merged.person_id)
    await batches.done(csv_of([there]))
    wrong = good.id_no[:17] + ("0" if good.id_no[17] != "0" else "1")
    lines = {
        f"{good.name},{wrong}": "ID_NO_INVALID",
        f"{good.name},110105491231002": "ID_NO_OLD",
        f"{good.name},9.9E+17": "ID_NO_SCIENTIFIC",
        f"{unknown.name},{unknown.id_no}": "PERSON_UNKNOWN",
        f"别人,{lost.id_no}": "NAME_MISMATCH",
        f"{dead.name},{dead.id_no}": "PHYSICAL_CANCELLED",
        f"{merged.name},{merged.id_no}": "PERSON_MERGED",
        f"{good.name},'{good.id_no.lower()}": "ROW_REPEATED",
        f"=cmd|' /C calc'!A0,{good.id_no}1": "NAME_INVALID",
        f'"{good.name},{good.id_no}': "ROW_MALFORMED",
        f"{good.name}\u200b,{good.id_no}9": "HIDDEN_CHARACTER",
        "": "ROW_MALFORMED",
        ",".join("x" * 3): "ROW_MALFORMED",
        "甲" * 301: "ROW_MALFORMED",
    }
    data = csv_of([good, there], *lines)

    batch = await batches.prepared(data)
    expected = [(line, code) for line, code in enumerate(lines.values(), start=4)]
    assert await batches.rejects(batch.batch_id) == expected
    assert (batch.ready_count, batch.unfit_count, batch.there_count) == (1, len(lines), 1)
    await batches.approve(batch)
    await batches.work()

    assert counts(await batches.get(batch.batch_id)) == (1, len(lines), 1, 0)
    assert await batches.rejects(batch.batch_id) == expected
    assert await batches.reconcile() == 2
    texts = str([tuple(row) for row in await batches.rows("SELECT * FROM job_reject")])
    assert not any(one.id_no in texts for one in (good, dead, lost, merged, unknown, there))


async def test_encodings_are_read_and_never_guessed(batches: Batches) -> None:
    known = people(2)
    await hold(batches.database, known)

    office = await batches.prepared(csv_of(known).decode().encode("gb18030"))
    spreadsheet = await batches.prepared(b"\xef\xbb\xbf" + csv_of(known).replace(b"\n", b"\r\n") + b",\r\n,\r\n")

    assert (office.ready_count, spreadsheet.ready_count, spreadsheet.row_count) == (2, 2, 2)
    for data, cause in (
        (csv_of(known).decode().encode("utf-16"), "ENCODING"),
        (
            csv_of(known)[:-1]
            .replace("四".encode(), "四".encode()[:2])
            .replace(b"\n", "，中文中文中文".encode() + b"\n", 1),
            "HEADER",
        ),
        (csv_of([]), "NO_ROWS"),
        (b"id,who\n1,2\n", "HEADER"),
    ):
        with pytest.raises(InvalidInput) as caught:
            await batches.create(data)
        assert (caught.value.reason, caught.value.metadata["cause"]) == ("FILE_FORMAT_INVALID", cause)


async def test_threat_11_the_same_file_twice_issues_nothing(batches: Batches) -> None:
    known, late = people(30), people(1, 500)
    await hold(batches.database, known)
    data = csv_of(known + late)
    first = await batches.done(data)
    assert counts(first) == (30, 1, 0, 0)

    again = await batches.done(data)
    assert counts(again) == (0, 1, 30, 0)
    # Also when a card was given up meanwhile: the row took effect, and a file is no standing order.
    await batches.rows("UPDATE card SET state = 'CANCELLED' WHERE person_id = $1", known[0].person_id)
    # Who was rejected and is known by now gets the card.
    await hold(batches.database, late)
    third = await batches.done(data)

    assert counts(third) == (1, 0, 30, 0)
    assert await batches.reconcile() == 31


async def test_an_open_file_has_one_batch(batches: Batches) -> None:
    known = people(1)
    await hold(batches.database, known)
    batch = await batches.create(csv_of(known))

    with pytest.raises(AlreadyExists) as caught:
        await batches.create(csv_of(known))
    assert (caught.value.reason, caught.value.metadata["batch"]) == ("CARD_BATCH_EXISTS", batch.batch_id)
    for fields in (
        {"source": pb.CARD_BATCH_SOURCE_FILE},
        {"source": pb.CARD_BATCH_SOURCE_REGISTER, "upload_id": "upl_1", "digest": "1"},
        {},
    ):
        with pytest.raises(InvalidInput):
            await batches.call("CreateCardBatch", **fields)
    with pytest.raises(NotFound):
        await batches.call(
            "CreateCardBatch", source=pb.CARD_BATCH_SOURCE_FILE, upload_id=f"upl_{'0' * 32}", digest="0" * 64
        )


async def test_a_second_person_approves_exactly_what_was_looked_at(batches: Batches) -> None:
    known = people(3)
    await hold(batches.database, known)
    batch = await batches.create(csv_of(known))
    wanted = {"batch_id": batch.batch_id}

    with pytest.raises(Refused):  # nobody looked at it yet
        await batches.call("ApproveCardBatch", CHECKER, digest="0" * 64, **wanted)
    await batches.work()
    batch = await batches.get(batch.batch_id)
    with pytest.raises(Forbidden) as same:
        await batches.call("ApproveCardBatch", replace(CHECKER, natural_person="maker"), digest=batch.digest, **wanted)
    assert same.value.reason == "SAME_PERSON"
    with pytest.raises(Forbidden):
        await batches.call("ApproveCardBatch", replace(MAKER, natural_person="other"), digest=batch.digest, **wanted)
    with pytest.raises(Refused) as other:
        await batches.call("ApproveCardBatch", CHECKER, digest="0" * 64, **wanted)
    assert other.value.metadata["digest"] == batch.digest
    await batches.rows("UPDATE card_batch_part SET ready = 2, skipped = 1")
    with pytest.raises(Refused) as behind:
        await batches.approve(batch)
    assert behind.value.reason == "CARD_BATCH_CHANGED"
    assert not await batches.rows("SELECT FROM job WHERE kind = 'card_batch_issue'")


async def test_a_batch_is_held_goes_on_and_is_ended(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_preparing, "PART_ROWS", PART_ROWS)
    known = people(3 * PART_ROWS)
    await hold(batches.database, known)
    data = csv_of(known)
    batch = await batches.prepared(data)
    wanted = batch.batch_id
    await batches.approve(batch)

    assert await batches.worker.run_one()
    await batches.call("PauseCardBatch", batch_id=wanted)
    assert not await batches.worker.run_one()
    held = await batches.get(batch.batch_id)
    assert (held.job.state, counts(held)) == (3, (PART_ROWS, 0, 0, 2 * PART_ROWS))  # paused
    with pytest.raises(Refused):
        await batches.call("PauseCardBatch", batch_id=wanted)
    await batches.call("ResumeCardBatch", batch_id=wanted)
    assert await batches.worker.run_one()
    ended = (await batches.call("CancelCardBatch", batch_id=wanted)).batch
    await batches.work()

    assert (ended.state, counts(ended)) == (pb.CARD_BATCH_STATE_CANCELLED, (2 * PART_ROWS, 0, 0, PART_ROWS))
    assert not await batches.rows("SELECT FROM card_batch_part WHERE rows_sealed IS NOT NULL")
    for rpc in ("PauseCardBatch", "ResumeCardBatch", "CancelCardBatch"):
        with pytest.raises(Refused):
            await batches.call(rpc, batch_id=wanted)
    # The file brought again goes on behind what was done.
    assert counts(await batches.done(data)) == (PART_ROWS, 0, 2 * PART_ROWS, 0)
    assert await batches.reconcile() == 3 * PART_ROWS
    reply = await batches.call("ListCardBatches", page_size=1)
    following = await batches.call("ListCardBatches", page_size=1, page_token=reply.next_page_token)
    assert [one.batch_id for one in (*following.batches,)] == [batch.batch_id]


async def test_two_batches_at_once_share_no_person(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_preparing, "PART_ROWS", PART_ROWS)
    known = people(600)
    await hold(batches.database, known)
    one, other = await batches.prepared(csv_of(known)), await batches.prepared(csv_of(known[::-1]))

    await asyncio.gather(batches.approve(one), batches.approve(other))
    await batches.work(hands=4)
    found = [counts(await batches.get(batch.batch_id)) for batch in (one, other)]

    assert [sum(column) for column in zip(*found, strict=True)] == [600, 0, 600, 0]
    assert await batches.reconcile() == 600


async def test_what_was_drawn_and_is_taken_is_drawn_again(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    known = people(40)
    await hold(batches.database, known)
    first = await batches.done(csv_of(known[:10]))
    assert counts(first) == (10, 0, 0, 0)
    office = batches.service.servicers[0].office  # type: ignore[attr-defined] # of its first edge
    taken = int((await batches.rows("SELECT issue_no FROM card LIMIT 1"))[0][0][5:18])
    drawn = iter([taken, 1, 2, 2, 3, 4, 4])
    slow = replace(office, draw=lambda: next(drawn, None) or office.draw())
    batch = await batches.prepared(csv_of(known[10:]))
    await batches.approve(batch)
    monkeypatch.setattr(batches.worker, "kinds", [batch_issuing.job(slow)])

    await batches.work()

    assert counts(await batches.get(batch.batch_id)) == (30, 0, 0, 0)
    assert await batches.reconcile() == 40


async def test_the_rule_for_one_is_the_rule_for_a_city(batches: Batches) -> None:
    stands = list(itertools.product((None, *Physical), (False, True), (False, True)))
    persons = people(len(stands))
    for person, (physical, is_merged, is_dead) in zip(persons, stands, strict=True):
        await hold(batches.database, [person], physical and physical.value)
        if is_merged:
            query = "UPDATE holder SET survivor_id = $1 WHERE person_id = $2"
            await batches.rows(query, persons[0].person_id, person.person_id)
        if is_dead:
            await batches.rows("UPDATE holder SET death_date = now() WHERE person_id = $1", person.person_id)

    query = f"SELECT ({issuing.OBSTACLE_SQL}) FROM holder ORDER BY person_id"
    said = [row[0] for row in await batches.rows(query)]

    assert said == [issuing.obstacle(issuing.Standing(*stand)) for stand in stands]
    assert said.count("") == 1
    assert set(said) - {""} <= batch_file.TEXTS.keys()
    assert set(batch_judging_codes()) <= batch_file.TEXTS.keys()


def batch_judging_codes() -> tuple[str, ...]:
    """What only the register can say of a row."""
    return batch_judging.UNKNOWN, batch_judging.MISMATCH, batch_judging.REPEATED


async def test_where_the_nation_issues_there_are_no_batches(batches: Batches) -> None:
    edge = next(one for one in batches.service.servicers if isinstance(one, BatchesRpc))
    edge.office = replace(edge.office, is_national=True)

    with pytest.raises(Refused) as caught:
        await batches.create()

    assert caught.value.reason == "CARD_BATCH_NATIONAL"
