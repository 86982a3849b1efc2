"""`hrss migrate`: what production gets that a development machine does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from chassis import bus
from ops import migrate
from ops.servers import SERVICES, Broker, Databases, ServerUnknown, broker_from, databases_from

if TYPE_CHECKING:
    from pathlib import Path

    from ops.embedded.postgres import EmbeddedPostgres


@pytest.mark.parametrize(
    ("environ", "replicas"),
    [
        ({}, 1),
        ({"HRSS_ENV": "dev"}, 1),
        ({"HRSS_ENV": "prod"}, 3),
        ({"HRSS_ENV": "prod", "HRSS_NATS_REPLICAS": "5"}, 5),
        ({"HRSS_ENV": "dev", "HRSS_NATS_REPLICAS": "3"}, 3),
    ],
)
def test_streams_lie_on_three_nodes_in_production(
    environ: dict[str, str], replicas: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[bus.Limits | None] = []

    async def provision(_url: str, *, limits: bus.Limits | None = None, **_more: Any) -> None:
        given.append(limits)

    monkeypatch.setattr(bus, "provision", provision)
    monkeypatch.setattr(migrate, "databases_from", lambda _environ: Databases({}, {}))
    monkeypatch.setattr(migrate, "broker_from", lambda _environ: Broker({}, ""))
    monkeypatch.setattr(migrate, "SERVICES", ())

    assert migrate.main({**environ, "HRSS_KEYS_DIR": str(tmp_path)}) == 0
    assert given == [bus.Limits(replicas=replicas)]


@pytest.mark.parametrize("replicas", ["0", "2", "three", "-1"])
def test_a_number_of_replicas_that_cannot_agree_is_refused(replicas: str) -> None:
    with pytest.raises(ValueError, match="HRSS_NATS_REPLICAS"):
        migrate.replicas_from({"HRSS_NATS_REPLICAS": replicas})


def test_a_broker_that_is_away_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(migrate, "databases_from", lambda _environ: Databases({}, {}))
    monkeypatch.setattr(migrate, "broker_from", lambda _environ: Broker({}, "nats://127.0.0.1:9"))
    monkeypatch.setattr(migrate, "SERVICES", ())

    assert migrate.main({"HRSS_KEYS_DIR": str(tmp_path)}) == 1

    said = capfd.readouterr().err
    assert "HRSS_NATS_ADMIN_URL" in said
    assert "Traceback" not in said


def named(postgres: EmbeddedPostgres, password: str) -> Databases:
    """Databases of this test's own, as a site would name them."""

    def url(service: str, kind: str) -> str:
        return f"postgresql://made_{service}_{kind}:{password}@127.0.0.1:{postgres.port}/made_{service}"

    return Databases(
        {service: url(service, "app") for service in SERVICES}, {service: url(service, "owner") for service in SERVICES}
    )


async def test_databases_and_roles_are_made_as_the_urls_name_them_and_follow_a_new_password(
    postgres: EmbeddedPostgres,
) -> None:
    for password in ("first", "a%2Fb"):  # the second as a URL writes a/b
        databases = named(postgres, password)
        await migrate.make_databases(postgres.admin_url(), databases)

        for service in SERVICES:
            owner = await asyncpg.connect(databases.owner_urls[service])
            await owner.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
            await owner.close()
            app = await asyncpg.connect(databases.app_urls[service])
            assert await app.fetchval("SHOW statement_timeout") == "5s"
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute("SELECT * FROM kept")
            await app.close()
            stranger = "made_training_app" if service != "training" else "made_card_app"
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(databases.app_urls[service].replace(f"made_{service}_app", stranger))
    for service in SERVICES:
        postgres.drop_database(f"made_{service}")


@pytest.mark.parametrize("role", ['x"; DROP TABLE y; --', "Owner", ""])
async def test_a_name_that_is_no_name_reaches_no_statement(postgres: EmbeddedPostgres, role: str) -> None:
    url = f"postgresql://{role}:x@127.0.0.1:{postgres.port}/made_enrollment"
    every = dict.fromkeys(SERVICES, url)

    with pytest.raises(ValueError, match="not a name"):
        await migrate.make_databases(postgres.admin_url(), Databases(every, every))

    postgres.drop_database("made_enrollment")


def test_urls_may_stand_in_files(tmp_path: Path) -> None:
    file = tmp_path / "one.url"
    file.write_text("postgresql://u:p@h/d\n")
    environ = {"HRSS_NATS_URL_FILE": str(file)}
    for service in SERVICES:
        environ[f"HRSS_{service.upper()}_DATABASE_URL_FILE"] = str(file)
        environ[f"HRSS_{service.upper()}_DATABASE_OWNER_URL"] = "postgresql://in-clear"

    databases, broker = databases_from(environ), broker_from(environ)

    assert databases is not None
    assert broker is not None
    assert set(databases.app_urls.values()) == {"postgresql://u:p@h/d"} == {broker.admin_url}
    assert set(databases.owner_urls.values()) == {"postgresql://in-clear"}


def test_a_file_that_is_not_there_is_told_by_the_name_of_its_variable(tmp_path: Path) -> None:
    with pytest.raises(ServerUnknown, match="HRSS_NATS_URL_FILE"):
        broker_from({"HRSS_NATS_URL_FILE": str(tmp_path / "none")})
