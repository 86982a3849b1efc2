"""The ledger: money that moves, booked twice, never rewritten.

An entry has postings in integer fen whose sum is zero; corrections are new entries. The app role may insert and read.
The database itself refuses an entry that does not balance: each statement that inserts postings must balance per
entry, and at commit each new entry must have at least two. An entry's key is unique for ever, so no retry can book it
again.

A service that books money calls `chassis.migrate.create_ledger()` in one of its migrations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel.errors import AlreadyExists
from kernel.money import Money

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from chassis.transaction import Transaction

LEAST_POSTINGS = 2

INSERT_ENTRIES = """
    INSERT INTO ledger_entry (kind, key, business_date)
    SELECT * FROM unnest($1::text[], $2::text[], $3::date[])
    ON CONFLICT (key) DO NOTHING RETURNING id, key
"""
INSERT_POSTINGS = """
    INSERT INTO ledger_posting (entry_id, line, account, amount_fen)
    SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::bigint[])
"""
BALANCE = """
    SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM ledger_posting
    WHERE account = $1 AND ($2::date IS NULL
        OR entry_id IN (SELECT id FROM ledger_entry WHERE business_date <= $2))
"""

DDL = (
    """
    CREATE TABLE ledger_entry (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind text NOT NULL,
        key text NOT NULL UNIQUE,
        business_date date NOT NULL,
        created timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE ledger_posting (
        entry_id bigint NOT NULL REFERENCES ledger_entry (id),
        line smallint NOT NULL CHECK (line > 0),
        account text COLLATE "C" NOT NULL,
        amount_fen bigint NOT NULL CHECK (amount_fen <> 0),
        PRIMARY KEY (entry_id, line)
    )
    """,
    "CREATE INDEX ledger_posting_account ON ledger_posting (account, entry_id) INCLUDE (amount_fen)",
    # One look per statement, however many postings it has.
    """
    CREATE FUNCTION ledger_postings_balance() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM fresh GROUP BY entry_id HAVING sum(amount_fen) <> 0) THEN
            RAISE EXCEPTION 'the postings of an entry must sum to zero'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_balance';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER ledger_postings_balance AFTER INSERT ON ledger_posting
        REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_postings_balance()
    """,
    # At commit, so that entry and postings may be two statements.
    """
    CREATE FUNCTION ledger_entry_complete() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE lines bigint; total numeric;
    BEGIN
        SELECT count(*), coalesce(sum(amount_fen), 0) INTO lines, total FROM ledger_posting WHERE entry_id = NEW.id;
        IF lines < 2 OR total <> 0 THEN
            RAISE EXCEPTION 'an entry needs postings that sum to zero'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_complete';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER ledger_entry_complete AFTER INSERT ON ledger_entry
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_entry_complete()
    """,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of money.

    Args:
        kind: What moved it, for example "receipt".
        key: Unique for ever, made from what it books, for example "receipt/rcp_…".
        postings: Account and amount; positive is owed to or held by the account. Their sum is zero.
        business_date: The day of the law on which it counts.
    """

    kind: str
    key: str
    postings: Sequence[tuple[str, Money]]
    business_date: date

    def __post_init__(self) -> None:
        if len(self.postings) < LEAST_POSTINGS or Money.total(amount for _, amount in self.postings) != Money(0):
            raise ValueError(f"the postings of an entry of kind {self.kind} must be two or more and sum to zero")


async def post(
    tx: Transaction, *, kind: str, key: str, postings: Sequence[tuple[str, Money]], business_date: date
) -> None:
    """Book one entry.

    Raises:
        AlreadyExists: ENTRY_ALREADY_POSTED: the key was booked before.
    """
    if not await post_many(tx, [Entry(kind, key, postings, business_date)]):
        raise AlreadyExists("ENTRY_ALREADY_POSTED", "an entry with this key was posted before")


async def post_many(tx: Transaction, entries: Sequence[Entry]) -> set[str]:
    """Book entries set-wise; the keys that were booked now. The others were booked before and stay as they are."""
    unique = sorted({entry.key: entry for entry in entries}.values(), key=lambda entry: entry.key)
    if len(unique) != len(entries):
        raise ValueError("two entries with one key")
    rows = await tx.fetch(
        INSERT_ENTRIES,
        [entry.kind for entry in unique],
        [entry.key for entry in unique],
        [entry.business_date for entry in unique],
    )
    ids: dict[str, int] = {row["key"]: row["id"] for row in rows}
    lines = [
        (ids[entry.key], line, account, amount.fen)
        for entry in unique
        if entry.key in ids
        for line, (account, amount) in enumerate(entry.postings, start=1)
    ]
    if lines:
        await tx.execute(INSERT_POSTINGS, *(list(column) for column in zip(*lines, strict=True)))
    return set(ids)


async def balance(tx: Transaction, account: str, *, on: date | None = None) -> Money:
    """What stands on an account, at the end of a business day or altogether."""
    row = await tx.fetchrow(BALANCE, account, on)
    return Money(row["fen"] if row else 0)
