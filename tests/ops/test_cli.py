"""The command line: honest exit codes, JSON where asked, nothing but what is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ops.home import ROOT, Home, write_json

if TYPE_CHECKING:
    from pathlib import Path


def hrss(home: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a home."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *arguments],
        env={**base, "HRSS_HOME": str(home), "COLUMNS": "200", **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_names_every_command(tmp_path: Path) -> None:
    text = hrss(tmp_path, "--help").stdout

    commands = ("up", "down", "status", "logs", "migrate", "demo", "policy", "jobs", "events")
    assert not [command for command in commands if f" {command} " not in text]


@pytest.mark.parametrize(
    "command", [("jobs", "list"), ("events", "parked", "list"), ("events", "republish", "benefits")]
)
def test_commands_beside_a_platform_say_when_there_is_none(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = hrss(tmp_path, *command)

    assert result.returncode == 1
    assert "没有正在运行的平台" in result.stderr
    assert "Traceback" not in result.stderr


def test_status_without_a_platform_has_its_own_exit_code(tmp_path: Path) -> None:
    result = hrss(tmp_path, "status", "--settled", "--json")

    assert result.returncode == 3
    assert json.loads(result.stdout) == {"running": False, "settled": False}


def test_down_without_a_platform_is_no_failure(tmp_path: Path) -> None:
    assert hrss(tmp_path, "down").returncode == 0


@pytest.mark.parametrize("name", ["nosuch", "../run/lock", "/etc/passwd", "."])
def test_only_logs_are_shown(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.log("gateway").write_text("one\ntwo\n")

    assert hrss(tmp_path, "logs", name).returncode == 1
    assert hrss(tmp_path, "logs", "gateway", "-n", "1").stdout == "two\n"


@pytest.mark.parametrize(
    "options",
    [
        ("nosuch",),
        ("benefits", "--range", "1-5"),
        ("benefits", "--since", "yesterday"),
        ("benefits", "--since", "2026-08-01"),
    ],
)
def test_malformed_options_are_refused_in_a_line(tmp_path: Path, options: tuple[str, ...]) -> None:
    home = Home(tmp_path)
    home.prepare()
    for server in ("postgres", "nats"):
        write_json(home.ready_file(server), {"port": 1})

    with home.locked():
        result = hrss(tmp_path, "events", "republish", *options)

    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr


EXAMPLE = """
schema: policy-worked-examples/1
examples:
- id: ONE
  domain: identification
  calc: id_check
  title: last digit changed
  inputs: {number: '320612196501010014', as_of: '2026-01-01'}
  expected: {valid: false, reason: REASON}
  confidence: certain
  source: [GB11643]
"""


@pytest.mark.parametrize(("reason", "status", "code"), [("CHECKSUM", "pass", 0), ("DATE", "fail", 1)])
def test_policy_check_prints_json_and_fails_with_an_example(
    tmp_path: Path, reason: str, status: str, code: int
) -> None:
    file = tmp_path / "examples.yaml"
    file.write_text(EXAMPLE.replace("REASON", reason))

    result = hrss(tmp_path, "policy", "check", str(file), "--json")

    (outcome,) = json.loads(result.stdout)["examples"]
    assert (outcome["id"], outcome["calc"], outcome["status"]) == ("ONE", "id_check", status)
    assert result.returncode == code


def test_wrong_port_is_named(tmp_path: Path) -> None:
    result = hrss(tmp_path, "up", HRSS_HTTP_PORT="80800")

    assert result.returncode == 1
    assert "HRSS_HTTP_PORT" in result.stdout
