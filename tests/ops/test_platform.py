"""What a platform consists of: decided before anything starts, each process told what it needs and no more."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from ops.home import Home
from ops.platform import STOP_LEVELS, PortTaken, choose_ports, plan
from ops.servers import SERVICES, ServerUnknown, broker_from, databases_from
from ops.units import Program

if TYPE_CHECKING:
    from pathlib import Path

FREE = {"HRSS_HTTP_PORT": "0", "HRSS_IDP_PORT": "0", "HRSS_TRACES_HTTP_PORT": "0"}
REAL_DATABASES = {
    f"HRSS_{service.upper()}_DATABASE{kind}_URL": f"postgresql://{service}{kind.lower()}:secret-{service}@db/{service}"
    for service in SERVICES
    for kind in ("", "_OWNER")
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A prepared home."""
    home = Home(tmp_path / "var")
    home.prepare()
    return home


def programs(home: Home, **environ: str) -> dict[str, Program]:
    """The planned programs by name."""
    return {unit.name: unit for unit in plan(home, {**FREE, **environ}).units if isinstance(unit, Program)}


def test_everything_is_there_and_stops_within_fifteen_seconds(home: Home) -> None:
    names = {unit.name for unit in plan(home, {**FREE, "HRSS_CARD_ISSUER": "national"}).units}

    assert names == {name for level, _ in STOP_LEVELS for name in level}
    assert sum(seconds for _, seconds in STOP_LEVELS) < 15


def test_services_start_after_migrations_and_simulators_after_the_gateway(home: Home) -> None:
    planned = programs(home)

    assert planned["migrate"].needs == ("postgres", "nats")
    assert {planned[name].needs for name in SERVICES} == {("migrate",)}
    assert planned["simulators"].needs == ("gateway",)


def test_only_migrations_know_the_owner_and_the_administrator(home: Home) -> None:
    owners = {
        name
        for name, program in programs(home).items()
        if any("_owner:" in value or "//admin:" in value for value in program.environment.values())
    }

    assert owners == {"migrate"}


def test_a_service_is_not_told_the_passwords_of_another(home: Home) -> None:
    planned = programs(home)
    urls = {service: planned[service].environment["HRSS_DATABASE_URL"] for service in SERVICES}

    for service in SERVICES:
        others = [url for other, url in urls.items() if other != service]
        assert not [url for url in others if url in planned[service].environment.values()]
    assert "HRSS_DATABASE_URL" not in planned["simulators"].environment
    assert "HRSS_DATABASE_URL" not in planned["idp"].environment


def test_nothing_secret_stands_in_arguments(home: Home) -> None:
    secrets = [path.read_text() for path in home.keys.iterdir() if path.suffix == ".password"]

    arguments = " ".join(" ".join(program.argv) for program in programs(home).values())
    assert not [secret for secret in secrets if secret in arguments]


def test_gateway_finds_services_and_identity_provider(home: Home) -> None:
    planned = programs(home)
    told = planned["gateway"].environment

    assert told["HRSS_ENROLLMENT_ADDRESS"] == f"127.0.0.1:{planned['enrollment'].environment['HRSS_RPC_PORT']}"
    assert told["HRSS_IDP_ISSUER"] == f"http://127.0.0.1:{planned['idp'].environment['HRSS_IDP_PORT']}"
    assert told["HRSS_OTLP_ENDPOINT"] == f"http://127.0.0.1:{planned['traces'].environment['HRSS_TRACES_PORT']}"


def test_ports_stay_the_same_over_restarts_and_differ_from_each_other(home: Home) -> None:
    first = choose_ports(home, FREE)

    assert choose_ports(home, FREE) == first
    assert len(set(first.values())) == len(first)


@pytest.mark.parametrize("given", ["taken", "x", "-1", "99999", "８０８０"])
def test_port_that_cannot_be_had_is_named_with_its_variable(home: Home, given: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1]) if given == "taken" else given

        with pytest.raises(PortTaken) as refusal:
            plan(home, {**FREE, "HRSS_HTTP_PORT": port})

    assert port in str(refusal.value)
    assert "端口" in str(refusal.value)
    assert "HRSS_HTTP_PORT" in str(refusal.value)


def test_real_databases_replace_the_embedded_one(home: Home) -> None:
    planned = plan(home, {**FREE, **REAL_DATABASES})
    by_name = {unit.name: unit for unit in planned.units}

    assert "postgres" not in by_name
    service = by_name["benefits"]
    assert isinstance(service, Program)
    assert service.environment["HRSS_DATABASE_URL"] == REAL_DATABASES["HRSS_BENEFITS_DATABASE_URL"]
    assert not [value for value in service.environment.values() if "secret-enrollment" in value]


def test_real_broker_identity_provider_and_collector_replace_the_embedded_ones(home: Home) -> None:
    environ = {
        "HRSS_NATS_URL": "nats://broker:4222",
        "HRSS_IDP_ISSUER": "https://id.example",
        "HRSS_OTLP_ENDPOINT": "collector:4317",
    }
    planned = plan(home, {**FREE, **environ})
    by_name = {unit.name: unit for unit in planned.units}

    assert not {"nats", "idp", "traces"} & set(by_name)
    gateway = by_name["gateway"]
    assert isinstance(gateway, Program)
    assert gateway.environment["HRSS_NATS_URL"] == "nats://broker:4222"
    assert gateway.environment["HRSS_IDP_ISSUER"] == "https://id.example"
    assert gateway.environment["HRSS_OTLP_ENDPOINT"] == "collector:4317"


@pytest.mark.parametrize("missing", sorted(REAL_DATABASES))
def test_half_named_databases_are_refused_with_what_is_missing(missing: str) -> None:
    environ = {name: url for name, url in REAL_DATABASES.items() if name != missing}

    with pytest.raises(ServerUnknown, match=missing):
        databases_from(environ)


def test_half_named_broker_is_refused() -> None:
    with pytest.raises(ServerUnknown, match="HRSS_NATS_URL"):
        broker_from({"HRSS_ENROLLMENT_NATS_URL": "nats://broker"})


def test_app_role_is_read_from_the_url() -> None:
    databases = databases_from(REAL_DATABASES)

    assert databases
    assert databases.app_role("benefits") == "benefits"


def test_settings_that_the_user_made_reach_every_process(home: Home) -> None:
    planned = programs(home, HRSS_LOG_LEVEL="debug", HRSS_PG_BIN="")

    assert {program.environment["HRSS_LOG_LEVEL"] for program in planned.values()} == {"debug"}
    assert not [program for program in planned.values() if "HRSS_PG_BIN" in program.environment]
