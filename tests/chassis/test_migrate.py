"""Migrations: idempotent, safe together, quick when there is nothing to do."""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from chassis import migrate, schema
from tests.chassis.demo import MIGRATIONS
from tests.plugins.databases import NewDatabase, owner_execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ops.embedded.postgres import EmbeddedPostgres


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[str]:
    """An empty service database."""
    name = f"empty{secrets.token_hex(3)}"
    postgres.create_database(name)
    yield name
    postgres.drop_database(name)


def upgrade(postgres: EmbeddedPostgres, name: str, migrations: Path = MIGRATIONS) -> bool:
    return migrate.upgrade("demo", postgres.owner_url(name), f"{name}_app", migrations=migrations)


def tables(postgres: EmbeddedPostgres, name: str) -> set[str]:
    return set(postgres.run_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", name).split())


def test_a_second_run_has_nothing_to_do(postgres: EmbeddedPostgres, empty: str) -> None:
    assert upgrade(postgres, empty)
    assert not upgrade(postgres, empty)

    assert {"outbox", "inbox", "note", "alembic_version", "alembic_version_chassis"} <= tables(postgres, empty)


def test_two_runs_at_once_do_it_once(postgres: EmbeddedPostgres, empty: str) -> None:
    done: list[bool] = []
    threads = [threading.Thread(target=lambda: done.append(upgrade(postgres, empty))) for _ in range(3)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done) == [False, False, True]


def test_a_new_revision_is_applied_after_the_old_ones(postgres: EmbeddedPostgres, empty: str, tmp_path: Path) -> None:
    upgrade(postgres, empty)
    newer = tmp_path / "migrations" / "versions"
    newer.mkdir(parents=True)
    (newer / "0001_demo.py").write_text((MIGRATIONS / "versions" / "0001_demo.py").read_text())
    (newer / "0002_more.py").write_text(
        '"""More."""\nfrom alembic import op\nrevision = "0002"\ndown_revision = "0001"\n\n\n'
        'def upgrade() -> None:\n    op.execute("CREATE TABLE more (id int)")\n'
    )

    assert upgrade(postgres, empty, newer.parent)
    assert not upgrade(postgres, empty)  # the release before finds a newer schema and leaves it alone

    assert "more" in tables(postgres, empty)


def test_a_failed_revision_leaves_nothing_of_itself(postgres: EmbeddedPostgres, empty: str, tmp_path: Path) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "0001_bad.py").write_text(
        '"""Bad."""\nfrom alembic import op\nrevision = "0001"\ndown_revision = None\n\n\n'
        'def upgrade() -> None:\n    op.execute("CREATE TABLE half (id int)")\n    op.execute("SELECT 1/0")\n'
    )

    with pytest.raises(Exception, match="division by zero"):
        upgrade(postgres, empty, tmp_path)

    assert "half" not in tables(postgres, empty)
    assert "outbox" in tables(postgres, empty)


async def test_a_database_without_a_revision_of_this_release_is_not_current(new_database: NewDatabase) -> None:
    database = await new_database("demo", migrations=MIGRATIONS)
    assert await schema.is_current(database, "demo", MIGRATIONS)

    await owner_execute(database, "INSERT INTO schema_state VALUES ('demo/0009_newer')")
    assert await schema.is_current(database, "demo", MIGRATIONS)

    await owner_execute(database, "DELETE FROM schema_state WHERE revision = 'demo/0001_demo'")
    assert not await schema.is_current(database, "demo", MIGRATIONS)


def test_with_nothing_to_do_neither_alembic_nor_sqlalchemy_is_loaded(postgres: EmbeddedPostgres, empty: str) -> None:
    migrate.upgrade("demo", postgres.owner_url(empty), f"{empty}_app")
    script = (
        "import sys; from chassis import migrate; "
        f"assert not migrate.upgrade('demo', sys.stdin.read(), '{empty}_app'); "
        "print([name for name in ('alembic', 'sqlalchemy') if name in sys.modules])"
    )

    found = subprocess.run(
        [sys.executable, "-c", script],
        input=postgres.owner_url(empty),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert found.stdout.strip() == "[]"
