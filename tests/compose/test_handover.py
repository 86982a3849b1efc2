"""Secrets of a platform in containers: made once, and each process gets its own and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ops.handover import main
from ops.secrets import Keys
from ops.servers import SERVICES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "handed").mkdir()
    assert main(tmp_path) == 0
    return tmp_path


def files(home: Path, process: str) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in (home / "handed" / process).iterdir()}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gets_nobody_elses_secret(home: Path, service: str) -> None:
    mine = files(home, service)

    assert f"{service}.sealed.key" in mine
    assert mine["database.url"].startswith(f"postgresql://{service}_app:")
    assert mine["database.url"].endswith(f"@postgres:5432/{service}")
    assert ("principal.key" in mine) == (service == "gateway")
    assert ("files.key" in mine) == (service in {"gateway", "enrollment", "benefits", "card"})
    assert ("enrollment-card.exchange.key" in mine) == (service in {"enrollment", "card"})
    for other in set(SERVICES) - {service}:
        assert f"{other}.sealed.key" not in mine
        for kind in ("app", "owner"):
            assert Keys(home / "keys").password(f"postgres-{other}_{kind}") not in "".join(mine.values())


def test_simulators_get_no_secret_of_the_gateway_or_of_a_counter(home: Path) -> None:
    names = files(home, "simulators").keys()

    assert "idp-client-bank.password" in names
    assert not {"idp-client-hrss-gateway.password", "idp-client-front-office.password"} & names


def test_the_broker_gets_each_password_as_a_text(home: Path) -> None:
    lines = files(home, "nats")["passwords.env"].splitlines()

    assert [line.partition("=")[0] for line in lines] == [
        f"HRSS_NATS_{user.upper()}_PASSWORD" for user in ("admin", *SERVICES)
    ]
    assert all(line.partition("=")[2].startswith("'\"") and line.endswith("\"'") for line in lines)


def test_what_is_handed_over_is_read_by_its_owner_alone(home: Path) -> None:
    for path in (home / "handed").rglob("*"):
        is_shared = path.is_relative_to(home / "handed" / "postgres")
        expected = (0o755 if is_shared else 0o700) if path.is_dir() else (0o444 if is_shared else 0o400)
        assert path.stat().st_mode & 0o777 == expected, path


def test_a_second_start_changes_nothing_and_keeps_what_a_process_made(home: Path) -> None:
    before = {process: files(home, process) for process in (*SERVICES, "idp", "nats", "migrate", "postgres")}
    (home / "handed" / "idp" / "idp-signing.jwk").write_text("its own")

    main(home)

    assert files(home, "idp").pop("idp-signing.jwk") == "its own"
    assert {process: files(home, process) for process in before if process != "idp"} == {
        process: content for process, content in before.items() if process != "idp"
    }


def test_a_key_that_was_changed_at_the_origin_is_handed_over_again(home: Path) -> None:
    key = home / "keys" / "card.keys.json"
    key.write_text('{"changed": true}')

    main(home)

    assert '"changed": true' in files(home, "card")["card.keys.json"]  # completed with what it lacks
