"""Comparisons of a delivery with the register, and the differences that they found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.store import people


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that was delivered otherwise than it stands or is computed here."""

    person_id: UUID
    code: str
    place: str
    delivered: str
    computed: str

    @property
    def words(self) -> tuple[str, str, str, str]:
        """Everything but the person."""
        return self.code, self.place, self.delivered, self.computed


async def add(tx: Transaction, job_id: UUID, delivery_id: UUID, seed: str, size: int) -> None:
    """A new comparison."""
    await tx.execute(
        "INSERT INTO history_parity (job_id, delivery_id, seed, size) VALUES ($1, $2, $3, $4)",
        job_id,
        delivery_id,
        seed,
        size,
    )


async def size(tx: Transaction, job_id: UUID) -> int:
    """Persons wanted in the sample."""
    row = await tx.fetchrow("SELECT size FROM history_parity WHERE job_id = $1", job_id)
    assert row is not None
    return int(row["size"])


async def about(tx: Transaction, job_id: UUID) -> tuple[UUID, str, int] | None:
    """Delivery, seed, and how many persons were compared so far."""
    row = await tx.fetchrow("SELECT delivery_id, seed, checked FROM history_parity WHERE job_id = $1", job_id)
    return (row["delivery_id"], row["seed"], sum(row["checked"].values())) if row else None


async def parts(tx: Transaction, delivery_id: UUID) -> Sequence[tuple[int, int]]:
    """The parts of a delivery in order, with their persons."""
    rows = await tx.fetch(
        """
        SELECT chunk, (counted ->> 'person_count')::integer AS persons FROM history_part
        WHERE job_id = $1 ORDER BY file, first_line
        """,
        delivery_id,
    )
    return [(row["chunk"], row["persons"]) for row in rows]


async def place(tx: Transaction, delivery_id: UUID, part: int) -> tuple[int, int]:
    """File and first line of a part."""
    row = await tx.fetchrow(
        "SELECT file, first_line FROM history_part WHERE job_id = $1 AND chunk = $2", delivery_id, part
    )
    assert row is not None
    return row["file"], row["first_line"]


async def person(tx: Transaction, id_no: str) -> UUID | None:
    """The person with a number."""
    row = await tx.fetchrow(
        "SELECT person_id FROM person WHERE id_no_index = $1", people.id_no_index(tx.database.sealer, id_no)
    )
    return row["person_id"] if row else None


async def held(tx: Transaction, person_id: UUID) -> Mapping[tuple[int, Month], tuple[int, bool]]:
    """Base and whether deemed, of every month of a scheme that counts."""
    rows = await tx.fetch(
        "SELECT scheme, month, base_fen, state FROM contribution_month WHERE person_id = $1", person_id
    )
    return {(row["scheme"], Month.of(row["month"])): (row["base_fen"], row["state"] == "DEEMED") for row in rows}


async def brought_in(tx: Transaction, person_id: UUID, year: int) -> Money | None:
    """The balance that was brought in for a year."""
    row = await tx.fetchrow(
        "SELECT imported_fen FROM account_year WHERE person_id = $1 AND year = $2 AND source <> 'platform'",
        person_id,
        year,
    )
    return Money(row["imported_fen"]) if row else None


async def note(tx: Transaction, job_id: UUID, chunk: int, persons: int, found: Sequence[Difference]) -> None:
    """Keep what a chunk found, and how many it compared; numbers leave room between chunks."""
    await tx.execute(
        """
        INSERT INTO history_difference (job_id, number, person_id, code, place, delivered, computed)
        SELECT $1, $2::integer * 100000 + row_number() OVER (), one.*
        FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[]) AS one
        """,
        job_id,
        chunk,
        [one.person_id for one in found],
        [one.code for one in found],
        [one.place for one in found],
        [one.delivered for one in found],
        [one.computed for one in found],
    )
    await tx.execute(
        """
        UPDATE history_parity SET checked = jsonb_set(checked, ARRAY[$2::text], to_jsonb($3::integer))
        WHERE job_id = $1
        """,
        job_id,
        str(chunk),
        persons,
    )


async def differences(tx: Transaction, job_id: UUID) -> Sequence[Difference]:
    """Everything found, in order; a sample of a thousand persons has few thousand months."""
    rows = await tx.fetch(
        """
        SELECT person_id, code, place, delivered, computed FROM history_difference
        WHERE job_id = $1 ORDER BY number LIMIT 10000
        """,
        job_id,
    )
    return [Difference(*row.values()) for row in rows]
