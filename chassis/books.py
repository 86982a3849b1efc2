"""Rules of the books: each is a query that finds what breaks it; nothing is health.

A service states its rules once, in its store. Its check as a job, `hrss reconcile` and the oracle of its tests run the
same ones. A query answers with a column `key` that names what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Sequence

PROOF_MINUTES = 60  # for one rule over the whole city, beside its work


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the books: what people read when it does not hold, and the query that finds where."""

    code: str
    zh: str
    en: str
    query: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that does not hold: how often, and the first key in order."""

    rule: Rule
    count: int
    first: str


async def prove(database_url: str, rules: Sequence[Rule]) -> Sequence[Finding]:
    """Every rule that does not hold, all of them at one moment, whatever is booked meanwhile."""
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = '{PROOF_MINUTES}min'")
            rows = [(rule, await connection.fetchrow(finding(rule))) for rule in rules]
    finally:
        await connection.close()
    return [Finding(rule, row["count"], row["first"]) for rule, row in rows if row and row["count"]]


def finding(rule: Rule) -> str:
    """The query that counts what breaks a rule and names the first of it."""
    return f'SELECT count(*) AS count, min(key COLLATE "C") AS first FROM ({rule.query}) AS broken'  # noqa: S608 - constant
