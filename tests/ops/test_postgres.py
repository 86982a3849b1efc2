"""The embedded PostgreSQL: data survives, roles are walls, nothing is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from ops.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError
from tests.ops.conditions import alive, until

if TYPE_CHECKING:
    from ops.secrets import Keys


@pytest.fixture
def home(server_home: Path, request: pytest.FixtureRequest) -> Path:
    """A directory of its own for a server that a test starts and breaks."""
    path = server_home / str(request.node.name)
    path.mkdir(mode=0o711)
    return path


def test_restart_keeps_data_and_passwords(home: Path) -> None:
    with EmbeddedPostgres(home / "pg", databases=["enrollment"]) as server:
        server.run_sql("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)", "enrollment")
        owner_url = server.owner_url("enrollment").rpartition("@")[0]

    with EmbeddedPostgres(home / "pg", databases=["enrollment", "benefits"]) as server:
        assert server.run_sql("SELECT id FROM kept", "enrollment") == "1"
        assert server.owner_url("enrollment").rpartition("@")[0] == owner_url
        assert server.run_sql("SELECT 1", "benefits") == "1"


def test_committed_rows_survive_kill_9(home: Path) -> None:
    server = EmbeddedPostgres(home / "pg", databases=["enrollment"]).start()
    server.run_sql("CREATE TABLE kept (id int); INSERT INTO kept SELECT generate_series(1, 1000)", "enrollment")
    assert server.process

    server.process.kill()
    server.process.wait()

    with server.start():
        assert server.run_sql("SELECT count(*) FROM kept", "enrollment") == "1000"


def test_server_is_gone_after_its_parent_was_killed(home: Path) -> None:
    program = (
        "import pathlib, sys\nfrom ops.embedded.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1])).start()\n"
        "print(server.process.pid, flush=True)\nserver.process.wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(home / "pg")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    server = int(parent.stdout.readline())
    assert alive(server)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    until(lambda: not alive(server), what="the server's end")


def test_first_start_that_was_cut_off_begins_anew(home: Path) -> None:
    unfinished = home / "pg" / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")

    with EmbeddedPostgres(home / "pg") as server:
        assert server.run_sql("SHOW data_checksums") == "on"


def test_root_serves_from_below_a_private_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    with EmbeddedPostgres(tmp_path / "private" / "pg") as server:
        assert server.run_sql("SELECT 1") == "1"


def test_data_of_another_version_is_refused(home: Path) -> None:
    with EmbeddedPostgres(home / "pg") as server:
        version = server.data / "PG_VERSION"
    version.write_text("9\n")

    with pytest.raises(EmbeddedPostgresError, match="belongs to PostgreSQL 9"):
        EmbeddedPostgres(home / "pg").start()


def test_failure_to_start_carries_the_servers_words(home: Path) -> None:
    server = EmbeddedPostgres(home / "pg", settings={"shared_buffers": "nonsense"})

    with pytest.raises(EmbeddedPostgresError, match="shared_buffers"):
        server.start()


def test_orderly_stop_is_clean(home: Path) -> None:
    server = EmbeddedPostgres(home / "pg").start()
    server.stop()

    assert server.process
    assert server.process.returncode == 0
    assert "database system is shut down" in server.log.read_text()


@pytest.mark.parametrize("name", ["", "Enrollment", "a b", 'a";DROP TABLE x', "a\n"])
def test_only_plain_names_become_databases(postgres: EmbeddedPostgres, name: str) -> None:
    with pytest.raises(EmbeddedPostgresError, match="not a database name"):
        postgres.create_database(name)


async def test_app_role_may_not_make_tables(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("walls")
    app = await asyncpg.connect(postgres.app_url("walls"))

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("CREATE TABLE mine (id int)")
    await app.close()


async def test_a_service_may_not_enter_the_database_of_another(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("one")
    postgres.create_database("two")

    for database in ("two", "postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(postgres.url("one_app", database))


async def test_wrong_password_is_refused(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("locked")
    url = f"postgresql://locked_app:wrong@127.0.0.1:{postgres.port}/locked"

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url)


async def test_connections_have_limits_without_asking(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("limits")
    app = await asyncpg.connect(postgres.app_url("limits"))

    values = {name: await app.fetchval(f"SHOW {name}") for name in ("statement_timeout", "lock_timeout")}
    await app.close()

    assert values == {"statement_timeout": "5s", "lock_timeout": "2s"}


async def test_owner_makes_what_the_app_is_granted(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("granted")
    owner = await asyncpg.connect(postgres.owner_url("granted"))
    await owner.execute("CREATE TABLE audit (id int); GRANT INSERT, SELECT ON audit TO granted_app")
    await owner.close()
    app = await asyncpg.connect(postgres.app_url("granted"))

    await app.execute("INSERT INTO audit VALUES (1)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("DELETE FROM audit")
    await app.close()


async def test_clone_has_the_rows_and_roles_of_its_template(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("mould")
    postgres.run_sql(
        "CREATE TABLE kept (id int); INSERT INTO kept VALUES (7); GRANT SELECT ON kept TO mould_app", "mould"
    )
    postgres.clone_database("mould", "cast_1")

    app = await asyncpg.connect(postgres.url("mould_app", "cast_1"))
    assert await app.fetchval("SELECT id FROM kept") == 7
    await app.close()
    postgres.drop_database("cast_1")

    assert postgres.run_sql("SELECT count(*) FROM pg_database WHERE datname = 'cast_1'") == "0"


async def test_server_log_does_not_repeat_values(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("discreet")
    owner = await asyncpg.connect(postgres.owner_url("discreet"))
    await owner.execute("CREATE TABLE person (number text UNIQUE)")
    await owner.execute("INSERT INTO person VALUES ($1)", "99000019660301101X")

    with pytest.raises(asyncpg.UniqueViolationError):
        await owner.execute("INSERT INTO person VALUES ($1)", "99000019660301101X")
    await owner.close()

    log = postgres.log.read_text()
    assert "duplicate key value" in log
    assert "99000019660301101X" not in log


def test_no_secret_is_readable_by_others(postgres: EmbeddedPostgres, server_keys: Keys) -> None:
    postgres.create_database("private")

    files = list(server_keys.directory.iterdir())
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert postgres.root.stat().st_mode & 0o777 == 0o700
    assert postgres.log.stat().st_mode & 0o777 == 0o600
    secrets = [path.read_text() for path in files if path.name.startswith("postgres-")]
    assert postgres.process
    text = Path(f"/proc/{postgres.process.pid}/cmdline").read_text()
    assert not [secret for secret in secrets if secret in text or secret in postgres.log.read_text()]


def test_stop_signal_reaches_the_server_before_any_force(home: Path) -> None:
    server = EmbeddedPostgres(home / "pg").start()
    assert server.process
    server.process.send_signal(signal.SIGSTOP)  # a server that does not react

    server.stop(timeout=0.1)

    assert not alive(server.process.pid)
