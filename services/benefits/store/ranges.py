"""Runs of benefits for the chunks of a job: every so many in the order of their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Sequence

# {0} is a table with its condition, or a query with a name; {1} how many a run has.
BOUNDARIES = """
    SELECT benefit_id, place FROM (
        SELECT benefit_id, row_number() OVER (ORDER BY benefit_id) AS place, count(*) OVER () AS total
        FROM {0}
    ) AS numbered WHERE place % {1} = 0 OR place = total ORDER BY benefit_id
"""


def ranges(rows: Sequence[Any], *, counted: str = "size") -> list[dict[str, Any]]:
    """What `BOUNDARIES` found, as parameters of chunks: after which id, up to which, and how many (named `counted`)."""
    ends = [row["benefit_id"] for row in rows]
    places = [row["place"] for row in rows]
    return [
        {"after": str(after), "last": str(last), counted: place - before}
        for after, last, place, before in zip([UUID(int=0), *ends], ends, places, [0, *places], strict=False)
    ]
