"""Which revisions of the schema a database has, and whether they are enough for this release.

`chassis.migrate` records the name of each revision file that was applied. A newer schema than this release knows is
fine: a release works before and after the migration of the next one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from chassis.database import Database

ROOT = Path(__file__).resolve().parent.parent
APPLIED = "SELECT revision FROM schema_state"


def chains(service: str, migrations: Path | None = None) -> list[tuple[str, Path]]:
    """The chains of revisions of a service, in the order in which they are applied; directories that exist."""
    own = migrations or ROOT / "services" / service / "migrations"
    both = [("chassis", ROOT / "chassis" / "migrations"), (service, own)]
    return [(name, path) for name, path in both if (path / "versions").is_dir()]


@cache
def revisions(service: str, migrations: Path | None = None) -> frozenset[str]:
    """Names of all revisions that this release has, as "chassis/0001_chassis"."""
    return frozenset(
        f"{name}/{file.stem}" for name, path in chains(service, migrations) for file in (path / "versions").glob("*.py")
    )


async def is_current(database: Database, service: str, migrations: Path | None = None) -> bool:
    """Whether the database has every revision of this release.

    Raises:
        Unavailable: DATABASE_UNAVAILABLE.
    """
    async with database.connection() as connection:
        return revisions(service, migrations) <= await applied(connection)


async def applied(connection: asyncpg.Connection[asyncpg.Record]) -> frozenset[str]:
    """Names of the revisions that a database has."""
    try:
        return frozenset(row["revision"] for row in await connection.fetch(APPLIED))
    except asyncpg.UndefinedTableError:
        return frozenset()
