"""Rules of the books: each is a query that finds what breaks it; nothing is health.

A service states its rules once, in its store. Its check as a job, `hrss reconcile` and the oracle of its tests run the
same ones. A query answers with a column `key` that names what is wrong.

A rule that can be proved for some rows without looking at the others says which column chooses them (`Span.among`):
then a city is proved in parts, each with the plan of a few rows, and time and memory grow no faster than the city.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Sequence

    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

PROOF_MINUTES = 60  # for one query over the whole city, beside its work
BEFORE_ALL, AFTER_ALL = UUID(int=0), UUID(int=2**128 - 1)
_PLACE = re.compile(r"«(\w+) ([\w.]+)»")


@dataclass(frozen=True, slots=True)
class Span:
    """Keys along which rules are proved in parts.

    Args:
        name: The table that has a row for each key.
        column: Its key.
        size: So many keys are a part.
        plan: Statement that says how the queries of a part are planned, for the transaction.
    """

    name: str
    column: str
    size: int
    plan: str

    @property
    def ends(self) -> str:
        """The query for the last key of each part, in a column `last`, ascending; $1 is the size."""
        return f"""
            SELECT {self.column} AS last FROM (
                SELECT {self.column}, row_number() OVER (ORDER BY {self.column}) AS place,
                       lead({self.column}) OVER (ORDER BY {self.column}) IS NULL AS is_last
                FROM {self.name}
            ) AS numbered WHERE place % $1::bigint = 0 OR is_last ORDER BY {self.column}
        """  # noqa: S608 - names of tables

    def among(self, column: str) -> str:
        """The condition that a column of keys lies in the part; without parts it is true."""
        return f"«{self.name} {column}»"


@dataclass(frozen=True, slots=True)
class Part:
    """The keys after one and up to another."""

    after: UUID
    last: UUID


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the books: what people read when it does not hold, and the query that finds where."""

    code: str
    zh: str
    en: str
    query: str

    @property
    def span(self) -> str:
        """The name of the span along which it is proved; empty when only the whole can be."""
        found = _PLACE.search(self.query)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that does not hold: how often, and the first key in order."""

    rule: Rule
    count: int
    first: str


async def prove(database_url: str, rules: Sequence[Rule], spans: Sequence[Span] = ()) -> Sequence[Finding]:
    """Every rule that does not hold, all of them at one moment, whatever is booked meanwhile."""
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = '{PROOF_MINUTES}min'")
            rows = [(rule, await connection.fetchrow(finding(rule))) for rule in rules if not rule.span]
            for span in spans:
                parts = parts_of([row["last"] for row in await connection.fetch(span.ends, span.size)])
                await connection.execute(span.plan)
                rows += [
                    (rule, await connection.fetchrow(finding(rule, part)))
                    for part in parts
                    for rule in rules
                    if rule.span == span.name
                ]
    finally:
        await connection.close()
    return [summed for rule in rules if (summed := _sum(rule, [row for one, row in rows if one is rule and row]))]


def _sum(rule: Rule, rows: Sequence[asyncpg.Record]) -> Finding | None:
    firsts = [row["first"] for row in rows if row["count"]]
    return Finding(rule, sum(row["count"] for row in rows), min(firsts)) if firsts else None


def finding(rule: Rule, part: Part | None = None) -> str:
    """The query that counts what breaks a rule, everywhere or in a part, and names the first of it.

    The keys of a part stand in the text, so that each query is planned for its own part.
    """
    where = f"(\\2 > '{part.after}'::uuid AND \\2 <= '{part.last}'::uuid)" if part else "true"
    query = _PLACE.sub(where, rule.query)
    return f'SELECT count(*) AS count, min(key COLLATE "C") AS first FROM ({query}) AS broken'  # noqa: S608 - constant


def parts_of(ends: Sequence[UUID]) -> list[Part]:
    """Parts that end where these do; together they hold every key there can be."""
    bounds = [BEFORE_ALL, *ends[:-1], AFTER_ALL]
    return [Part(after, last) for after, last in pairwise(bounds)]
