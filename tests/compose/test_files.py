"""What can be checked of the image and of docker-compose.yml without Docker: `make compose-test` runs them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from chassis.config import KNOWN
from ops.embedded.postgres import SETTINGS
from ops.handover import NATS, POSTGRES
from ops.home import ROOT
from ops.servers import SERVICES

FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
PARTS: dict[str, dict[str, Any]] = FILE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
INSTRUCTIONS = [line for line in re.sub(r"\\\n", " ", DOCKERFILE).splitlines() if line and not line.startswith("#")]
STEPS = {"prepare", "migrate"}  # they end by themselves
WITHOUT_SHELL = {"collector", "jaeger"}  # images with one program, which could not run a check
PUBLISHED = {"gateway": "8080", "idp": "8081", "traces": "8082", "jaeger": "16686"}


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9_.-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", PARTS)
def test_a_container_has_no_rights_and_limits_on_everything(name: str) -> None:
    part = PARTS[name]

    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    assert part["security_opt"] == ["no-new-privileges:true"]
    assert any(mount.startswith("/tmp:size=") for mount in part["tmpfs"])
    assert part["mem_limit"]
    assert part["pids_limit"] > 0
    assert not {"privileged", "devices", "pid", "ipc", "userns_mode"} & part.keys()
    assert part.get("network_mode", "none") == "none"


@pytest.mark.parametrize("name", sorted(PARTS.keys() - {"postgres"}))
def test_a_container_runs_as_a_numbered_user(name: str) -> None:
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", PARTS[name]["user"])
    assert "cap_add" not in PARTS[name]


def test_postgres_gets_what_its_start_script_needs_and_no_more() -> None:
    assert set(PARTS["postgres"]["cap_add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}


@pytest.mark.parametrize("name", sorted(PARTS.keys() - STEPS - WITHOUT_SHELL))
def test_a_container_that_stays_says_whether_it_is_well_and_comes_back(name: str) -> None:
    check = PARTS[name]["healthcheck"]

    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= check.keys()
    assert PARTS[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", PARTS)
def test_only_three_pages_are_published_and_on_the_loopback(name: str) -> None:
    ports = PARTS[name].get("ports", [])

    assert len(ports) == (name in PUBLISHED)
    for port in ports:
        assert re.fullmatch(rf"127\.0\.0\.1:\$\{{HRSS_[A-Z_]+:-\d+\}}:{PUBLISHED[name]}", port)


def test_no_value_of_a_secret_stands_in_the_file() -> None:
    for name, part in PARTS.items():
        for variable, value in part.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|DATABASE_URL|DATABASE_OWNER_URL|NATS(_ADMIN)?_URL", variable):
                assert variable.endswith("_FILE"), (name, variable)
            assert "@" not in value, (name, variable)


def test_every_variable_is_one_that_a_process_knows() -> None:
    known = KNOWN | {f"{name}_FILE" for name in KNOWN}
    used = {variable for part in PARTS.values() for variable in part.get("environment", {})}

    assert {name for name in used if name.startswith("HRSS_")} <= known


def test_databases_and_broker_have_no_way_out() -> None:
    assert FILE["networks"]["back"] == {"internal": True}
    for name in ("postgres", "nats", "migrate", "enrollment", "benefits", "training", "card"):
        assert PARTS[name]["networks"] == ["back"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_runs_from_its_own_volume_after_the_migration(service: str) -> None:
    part = PARTS[service]

    assert part["command"] == ["python", "-m", f"services.{service}"]
    assert f"own-{service}:/var/lib/hrss/own:ro" in part["volumes"]
    assert part["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert part["environment"]["HRSS_DATABASE_URL_FILE"] == "/var/lib/hrss/own/database.url"
    assert part["environment"]["HRSS_NATS_URL_FILE"] == "/var/lib/hrss/own/nats.url"


def test_each_own_volume_is_seen_by_its_process_and_the_first_step_alone() -> None:
    owners: dict[str, set[str]] = {}
    for name, part in PARTS.items():
        for mount in part.get("volumes", []):
            owners.setdefault(mount.partition(":")[0], set()).add(name)

    assert owners["keys"] == {"prepare", "migrate"}
    for volume in FILE["volumes"]:
        if volume.startswith("own-"):
            assert owners[volume] == {"prepare", volume.removeprefix("own-")}


def test_the_migration_knows_every_url() -> None:
    told = PARTS["migrate"]["environment"]

    for service in SERVICES:
        for kind, file in (("DATABASE_URL", "app"), ("DATABASE_OWNER_URL", "owner"), ("NATS_URL", "nats")):
            assert told[f"HRSS_{service.upper()}_{kind}_FILE"] == f"/var/lib/hrss/own/{service}-{file}.url"
    for server in (POSTGRES, NATS):
        assert PARTS["migrate"]["depends_on"][server.partition(":")[0]] == {"condition": "service_healthy"}


def test_postgres_runs_with_the_settings_of_the_embedded_one() -> None:
    given = [word.removeprefix("-c").partition("=") for word in PARTS["postgres"]["command"][1:]]

    assert {name: value for name, _, value in given} == SETTINGS


def test_nats_reads_the_file_of_production() -> None:
    part = PARTS["nats"]
    text = (ROOT / "deploy" / "nats" / "hrss.conf").read_text("utf-8")

    assert "./deploy/nats/hrss.conf:/etc/nats/hrss.conf:ro" in part["volumes"]
    assert part["command"][0].endswith("exec nats-server --config /etc/nats/hrss.conf")
    assert "sync_interval: always" in text
    assert 'store_dir: "/data"' in text


def test_browser_and_gateway_mean_the_same_issuer() -> None:
    gateway, idp = PARTS["gateway"]["environment"], PARTS["idp"]["environment"]

    assert gateway["HRSS_IDP_ISSUER"] == idp["HRSS_IDP_ISSUER"]
    assert gateway["HRSS_IDP_URL"] == idp["HRSS_IDP_URL"] == "http://idp:8081"
    assert PARTS["idp"]["ports"][0].startswith(gateway["HRSS_IDP_ISSUER"].removeprefix("http://"))


def test_the_profile_of_traces_starts_with_nothing_else() -> None:
    assert {name for name, part in PARTS.items() if "profiles" in part} == WITHOUT_SHELL
    collector = yaml.safe_load((ROOT / "deploy" / "otel" / "collector.yaml").read_text("utf-8"))
    pipeline = collector["service"]["pipelines"]["traces"]
    assert set(pipeline["exporters"]) == set(collector["exporters"])
    hosts = {exporter["endpoint"].partition(":")[0] for exporter in collector["exporters"].values()}
    assert hosts == {"jaeger", "traces"}
    assert hosts <= PARTS["collector"]["depends_on"].keys()


def test_the_image_has_two_stages_of_one_replaceable_base() -> None:
    assert INSTRUCTIONS[0] == "ARG BASE_IMAGE=python:3.13-slim-trixie"
    stages = [line for line in INSTRUCTIONS if line.startswith("FROM ")]
    assert stages == ["FROM ${BASE_IMAGE} AS build", "FROM ${BASE_IMAGE}"]
    assert "syntax=" not in DOCKERFILE  # the classic builder ignores it, another would fetch it


def test_the_image_runs_as_a_numbered_user() -> None:
    users = [line for line in INSTRUCTIONS if line.startswith("USER ")]

    assert users == ["USER 10001:10001"]


def test_requirements_are_locked_and_installed_before_code_is_copied() -> None:
    installs = [number for number, line in enumerate(INSTRUCTIONS) if "pip" in line and " install " in line]
    copies = [
        number
        for number, line in enumerate(INSTRUCTIONS)
        if line.startswith("COPY ") and "requirements" not in line and "--from" not in line
    ]

    assert len(installs) == 2
    assert max(installs) < min(copies)
    assert all("--require-hashes" in INSTRUCTIONS[number] for number in installs)


def test_nothing_is_fetched_but_by_package_managers() -> None:
    assert not re.search(r"\b(curl|wget|git|ADD|--mount)\b|https?://", "\n".join(INSTRUCTIONS))


def test_the_generator_is_the_one_that_development_uses() -> None:
    development, runtime = pins("development.txt"), pins("runtime.txt")

    for name, version in pins("contract.txt").items():
        assert {**runtime, **development}[name] == version


def test_the_build_sees_only_what_the_image_needs() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {line.split()[1] for line in INSTRUCTIONS if line.startswith("COPY ") and "--from" not in line}

    assert next(line for line in lines if not line.startswith("#")) == "*"
    assert allowed == copied


def test_every_volume_finds_its_directory_with_the_right_owner_in_the_image() -> None:
    mounts = [mount.split(":")[1] for mount in PARTS["prepare"]["volumes"]]
    made = next(line for line in INSTRUCTIONS if "useradd" in line)

    for mount in mounts:
        assert re.search(rf"\b{re.escape(mount.rpartition('/')[2])}\b", made), mount
