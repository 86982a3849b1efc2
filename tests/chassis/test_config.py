"""Settings: what starts a process and what stops it, by name and without values."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pydantic import Field, ValidationError

from chassis.config import KNOWN, Settings, SettingsWrong, read, variable

if TYPE_CHECKING:
    from pathlib import Path


def settings(**environ: str) -> Settings:
    return read(Settings, service="enrollment", environ=environ)


def refusal(**environ: str) -> str:
    with pytest.raises(SettingsWrong) as caught:
        settings(**environ)
    return str(caught.value)


def test_settings_come_from_prefixed_variables() -> None:
    found = settings(HRSS_RPC_PORT="41001", HRSS_ENV="test", PATH="/bin")

    assert (found.service, found.rpc_port, found.env) == ("enrollment", 41001, "test")


def test_an_unknown_variable_is_named() -> None:
    assert "HRSS_RPC_PROT" in refusal(HRSS_RPC_PROT="1")


def test_a_variable_of_another_process_is_no_mistake() -> None:
    assert settings(HRSS_HTTP_PORT="8080", HRSS_BENEFITS_ADDRESS="127.0.0.1:1").rpc_port == 0


def test_a_wrong_value_is_named_and_not_repeated() -> None:
    text = refusal(HRSS_RPC_PORT="s3cret")

    assert "HRSS_RPC_PORT" in text
    assert "s3cret" not in text


def test_a_refusal_speaks_both_languages_on_one_line() -> None:
    with pytest.raises(SettingsWrong) as caught:
        settings(HRSS_RPC_PORT="-1")

    (line,) = caught.value.lines
    assert "设置有误" in line
    assert "wrong setting" in line


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://u:p@127.0.0.1/enrollment\n")

    found = settings(HRSS_DATABASE_URL_FILE=str(tmp_path / "url"))

    assert found.database_url == "postgresql://u:p@127.0.0.1/enrollment"
    assert "p@" not in repr(found)


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://a")

    assert "HRSS_DATABASE_URL" in refusal(HRSS_DATABASE_URL="x", HRSS_DATABASE_URL_FILE=str(tmp_path / "url"))


def test_a_missing_secret_file_is_named() -> None:
    assert "HRSS_NATS_URL_FILE" in refusal(HRSS_NATS_URL_FILE="/nowhere/at/all")


@pytest.mark.parametrize(
    ("name", "environ"),
    [
        ("HRSS_TEST_OFF", {"HRSS_TEST_OFF": "inbox", "HRSS_ENV": "dev"}),
        ("HRSS_TEST_OFF", {"HRSS_TEST_OFF": "inbox", "HRSS_ENV": "prod"}),
        ("HRSS_TEST_CRASH", {"HRSS_TEST_CRASH": "after-commit", "HRSS_ENV": "prod"}),
        ("HRSS_ROLES", {"HRSS_ROLES": "rpc,cook"}),
    ],
)
def test_what_belongs_to_another_environment_is_refused(name: str, environ: dict[str, str]) -> None:
    assert name in refusal(**environ)


def test_production_refuses_what_is_missing_or_made_for_development() -> None:
    text = refusal(HRSS_ENV="prod")

    assert "HRSS_DATABASE_URL" in text
    assert "HRSS_NATS_URL" in text


PROD = {"HRSS_ENV": "prod", "HRSS_DATABASE_URL": "postgresql://x", "HRSS_NATS_URL": "nats://x"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "enrollment.internal"])
def test_production_sends_no_plaintext_to_other_machines_unless_a_mesh_encrypts_it(host: str) -> None:
    text = refusal(**PROD, HRSS_RPC_HOST=host)

    assert "HRSS_RPC_HOST" in text
    assert "HRSS_ALLOW_PLAINTEXT_RPC=yes" in text
    assert settings(**PROD, HRSS_RPC_HOST=host, HRSS_ALLOW_PLAINTEXT_RPC="yes").rpc_host == host
    assert settings(HRSS_RPC_HOST=host).rpc_host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_production_may_speak_plaintext_on_its_own_machine(host: str) -> None:
    assert settings(**PROD, HRSS_RPC_HOST=host).rpc_host == host


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        settings().rpc_port = 1


def test_every_field_is_documented_and_known() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert variable(name) in KNOWN


def test_a_field_that_the_list_does_not_have_fails_when_it_is_written() -> None:
    with pytest.raises(TypeError, match="HRSS_TEAPOT"):
        type("Odd", (Settings,), {"__annotations__": {"teapot": int}, "teapot": Field(1), "__module__": __name__})


def test_a_process_with_a_wrong_variable_ends_with_one_line() -> None:
    code = "from chassis.config import Settings, load; load(Settings, service='enrollment')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HRSS_NO_SUCH_THING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "HRSS_NO_SUCH_THING" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
