"""Batches of cards as two persons work on them, with the job's worker in hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from chassis.files import Files
from chassis.worker import Worker
from hrss.card.v1 import batches_service_pb2 as pb
from kernel import ids
from kernel.identity import TEST_REGION, make_resident_id
from services.card.service import build
from tests.card.builders import TODAY, Person, a_key
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal
from tests.system.oracle_card import QUERIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.database import Database
    from chassis.principal import Principal
    from chassis.service import Service
    from tests.plugins.grpc_harness import Running

MAKER = a_principal(["CLERK"], subject="idp|maker", purpose="batch", natural_person="maker")
CHECKER = a_principal(["SUPERVISOR"], subject="idp|checker", purpose="batch", natural_person="checker")
NAMES = ("赵示例一", "钱示例二", "孙·示例", "李四")


def people(count: int, first: int = 1) -> list[Person]:
    """Persons who do not exist, in the order in which they were registered."""
    return [
        Person(
            ids.new_id(),
            make_resident_id(
                TEST_REGION, date(1960 + number % 40, 1 + number // 40 % 12, 1 + number // 480 % 28), number % 999
            ),
            NAMES[number % len(NAMES)],
        )
        for number in range(first, first + count)
    ]


def csv_of(persons: Sequence[Person], *lines: str) -> bytes:
    """A list of persons as a file, with further lines at its end."""
    rows = [f"{one.name},{one.id_no}" for one in persons]
    return "\n".join(["姓名,公民身份号码", *rows, *lines, ""]).encode()


async def hold(
    database: Database, persons: Sequence[Person], physical: str | None = "NORMAL", *, pays: bool = False
) -> None:
    """Make persons known, with a physical card that stands there; None: with none."""
    sealer = database.sealer
    columns = [
        [one.person_id for one in persons],
        [sealer.seal("holder", "name", one.person_id, one.name) for one in persons],
        [sealer.seal("holder", "id_no", one.person_id, one.id_no) for one in persons],
        [sealer.blind_index("id_no", one.id_no) for one in persons],
    ]
    await owner_fetch(
        database,
        """
        INSERT INTO holder (person_id, name_sealed, id_no_sealed, id_no_index, birth_date, physical_state, physical_ref,
                            physical_sequence, payment_enabled)
        SELECT one.*, '1990-01-01', $5::text, CASE WHEN $5::text IS NULL THEN NULL ELSE 'PHYS-0001' END,
          CASE WHEN $5::text IS NULL THEN 0 ELSE 1 END, $6
        FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[]) AS one
        """,
        *columns,
        physical,
        pays,
    )


@dataclass
class Batches:
    """The service, two persons, and a worker that works when it is told to."""

    database: Database
    running: Running
    service: Service
    files: Files
    worker: Worker

    async def call(self, rpc: str, by: Principal = MAKER, **fields: Any) -> Any:
        """Call an RPC of the service."""
        kind = getattr(pb, f"{rpc}Request")
        if "request_id" in kind.DESCRIPTOR.fields_by_name:
            fields.setdefault("request_id", a_key())
        return await self.running.call(rpc, kind(**fields), by, today=TODAY, timeout=20)

    async def create(self, data: bytes | None = None) -> pb.CardBatch:
        """A batch of a file, or of the register."""
        if data is None:
            reply = await self.call("CreateCardBatch", source=pb.CARD_BATCH_SOURCE_REGISTER)
        else:
            ref = await self.files.put(data)
            reply = await self.call(
                "CreateCardBatch", source=pb.CARD_BATCH_SOURCE_FILE, upload_id=ref.upload_id, digest=ref.digest
            )
        batch: pb.CardBatch = reply.batch
        return batch

    async def prepared(self, data: bytes | None = None) -> pb.CardBatch:
        """A batch that waits for its second person."""
        batch = await self.create(data)
        await self.work()
        return await self.get(batch.batch_id)

    async def approve(self, batch: pb.CardBatch) -> None:
        """Let a batch run; the worker has to be told."""
        await self.call("ApproveCardBatch", CHECKER, batch_id=batch.batch_id, digest=batch.digest)

    async def done(self, data: bytes | None = None) -> pb.CardBatch:
        """A batch that went all the way."""
        batch = await self.prepared(data)
        await self.approve(batch)
        await self.work()
        return await self.get(batch.batch_id)

    async def get(self, batch_id: str) -> pb.CardBatch:
        """How a batch stands."""
        batch: pb.CardBatch = (await self.call("GetCardBatch", batch_id=batch_id)).batch
        return batch

    async def rejects(self, batch_id: str) -> list[tuple[int, str]]:
        """Rejected rows by line, with their reason."""
        reply = await self.call("ListCardBatchRejects", batch_id=batch_id, page_size=200)
        return [(one.line, one.code) for one in reply.rejects]

    async def work(self, hands: int = 2) -> None:
        """Let the worker work until there is nothing to do."""

        async def one() -> None:
            while await self.worker.run_one():
                pass

        await asyncio.gather(*(one() for _ in range(hands)))
        await one()

    async def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """Rows of the database, as its owner sees them."""
        return await owner_fetch(self.database, statement, *parameters)

    async def reconcile(self) -> int:
        """Everything that was written adds up; how many cards there are."""
        return await reconciled(self.database)


RULES = {
    "every card has one server binding with its reference and status": """
        SELECT count(*) FROM card LEFT JOIN binding ON binding.card_id = card.card_id AND role = 'server'
        WHERE binding.reference IS DISTINCT FROM card.reference OR status <> status_of(card.state)
    """,
    "every binding has a card": """
        SELECT count(*) FROM binding LEFT JOIN card USING (card_id) WHERE card.card_id IS NULL
    """,
    "a place is given out once, below what its list gave out": """
        SELECT count(*) FROM (
          SELECT list_no, count(*) AS used, count(DISTINCT idx) AS places FROM binding GROUP BY list_no
        ) AS each JOIN status_list USING (list_no) WHERE used <> places OR used > next
    """,
    "numbers carry their check digits": "SELECT count(*) FROM card WHERE issue_no::numeric % 97 <> 1",
    "a person has one live card": """
        SELECT count(*) FROM (SELECT FROM card WHERE state NOT IN ('REJECTED', 'REPLACED', 'CANCELLED', 'EXPIRED')
                                GROUP BY person_id HAVING count(*) > 1) AS two
    """,
    "every card was announced once": """
        SELECT abs((SELECT count(*) FROM card) - (SELECT count(*) FROM aggregate WHERE kind = 'card'))
             + abs((SELECT count(*) FROM card) - (SELECT coalesce(sum(cardinality(keys)), 0) FROM outbox
                                                   WHERE subject = 'hrss.card.v1.CardIssued'))
    """,
    "parts hold what their chunks count": """
        SELECT count(*) FROM card_batch JOIN card_batch_part USING (batch_id)
        JOIN job_chunk ON job_id = issue_job AND job_chunk.number = card_batch_part.number
        WHERE job_chunk.state = 'DONE' AND (issued <> done_count OR rows_sealed IS NOT NULL
              OR done_count + rejected_count + skipped_count <> card_batch_part.row_count)
    """,
    "a part that is done has one audit row, another none": """
        SELECT count(*) FROM card_batch_part AS part WHERE (issued IS NOT NULL)::integer <> (
          SELECT count(*) FROM audit WHERE action = 'card_batch_issued' AND detail->>'part' = part.number::text
            AND replace(detail->>'batch_id', 'cbt_', '')::uuid = batch_id
            AND detail->>'digest' = encode(issued_digest, 'hex')
        )
    """,
    "issued cards are those of the parts": """
        SELECT abs((SELECT count(*) FROM card) - (SELECT coalesce(sum(issued), 0) FROM card_batch_part))
    """,
    "rejected rows are those of the chunks": """
        SELECT abs((SELECT count(*) FROM job_reject) - (SELECT coalesce(sum(rejected_count), 0) FROM job_chunk))
    """,
}


# Rules of all cards that hold of batches as well; others ask for events of physical cards, which these tests write not.
ORACLE = (
    "two live cards of one person",
    "an issue number does not fit its check digits",
    "a card said more or less than its audit rows",
    "a card that neither has an audit row of its own nor is one of a batch",
    "a binding that does not say what its card says",
    "a place that two bindings had",
    "a place that was never leased",
    "a card without a place for its codes",
)


async def reconciled(database: Database) -> int:
    """Hold a database of batches alone against the rules; how many cards there are."""
    broken = {name: len(rows) for name in ORACLE if (rows := await owner_fetch(database, QUERIES[name]))}
    for rule, query in RULES.items():
        if count := (await owner_fetch(database, query))[0][0]:
            broken[rule] = count
    assert not broken
    return int((await owner_fetch(database, "SELECT count(*) FROM card"))[0][0])


def batches_of(database: Database, running: Running, service: Service) -> Batches:
    """The desk of a service that is served."""
    files = Files(database.settings.files_dir, database.settings.keys_dir)
    return Batches(database, running, service, files, Worker(database, list(service.jobs)))


def service_of(database: Database) -> Service:
    """The service."""
    return build(database.settings)
