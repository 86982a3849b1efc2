"""Words that the rules of the books share: keys as people read them, what stands, and the spans of the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.books import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

# A part reads the rows of its keys and nothing else, whatever statistics say: tables by their indexes, joined by hash
# where both sides are of the part, else key by key.
_PLAIN = """
    SELECT set_config('enable_mergejoin', 'off', true), set_config('max_parallel_workers_per_gather', '0', true),
           set_config('random_page_cost', '1.1', true)
"""
BENEFITS = Span("benefit", "benefit_id", 10_000, f"{_PLAIN}, set_config('enable_seqscan', 'off', true)")
PAYROLLS = Span("payroll", "payroll_id", 1, _PLAIN)
SPANS = (BENEFITS, PAYROLLS)

# Merged records stand under the one that survived.
ROOT = "coalesce(forward.survivor_id, {}.person_id)"
STANDS = "{}.state IN ('OPEN', 'CONFIRMED')"
NOT_OVERPAID = (
    "NOT EXISTS (SELECT FROM overpayment WHERE overpayment.payment_id = {}.payment_id AND cancelled_date IS NULL)"
)


def key(prefix: str, column: str) -> str:
    """The column `key` of a query, an id as it is shown."""
    return f"'{prefix}_' || replace({column}::text, '-', '') AS key"


def found(table: str, column: str, key_of: str) -> str:
    """The row of a whole table that a key names: looked up key by key, also where the planner would read them all."""
    return f"LATERAL (SELECT * FROM {table} WHERE {table}.{column} = {key_of} OFFSET 0) AS {table}"  # noqa: S608 - constant


def listed(words: Sequence[str]) -> str:
    """Words as SQL lists them."""
    return ", ".join(f"'{word}'" for word in words)


def kin(root: str) -> str:
    """Every record of a person, by the surviving one: a set of `person_id`, looked up by keys."""
    return f"(SELECT {root} AS person_id UNION ALL SELECT person_id FROM forward WHERE survivor_id = {root})"  # noqa: S608 - constant


BEN, PMT, PRL, DET = (
    key("ben", "benefit.benefit_id"),
    key("pmt", "payment.payment_id"),
    key("prl", "payroll.payroll_id"),
    key("det", "determination.determination_id"),
)
