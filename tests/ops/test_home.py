"""The home of a platform: one supervisor at a time, private files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ops.home import Home, HomeInUse, read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A prepared home."""
    home = Home(tmp_path / "var")
    home.prepare()
    return home


def test_home_is_named_by_the_environment(tmp_path: Path) -> None:
    assert Home.of({"HRSS_HOME": str(tmp_path)}).root == tmp_path
    assert Home.of({}).root.name == "var"


def test_second_supervisor_is_refused(home: Home) -> None:
    with home.locked(), pytest.raises(HomeInUse), home.locked():
        pytest.fail("two supervisors hold one home")


def test_state_is_that_of_the_supervisor_that_holds_the_lock(home: Home) -> None:
    assert home.state() is None

    with home.locked():
        state = home.state()
        assert state
        assert state["pid"] == os.getpid()

    assert home.state() is None


def test_state_of_a_supervisor_that_was_killed_does_not_count(home: Home) -> None:
    write_json(home.state_file, {"pid": 1, "state": "running"})

    assert home.state() is None


def test_others_cannot_read_what_lies_here(home: Home) -> None:
    for path in (home.keys, home.files, home.run, home.root / "logs"):
        assert path.stat().st_mode & 0o777 == 0o700
    assert home.root.stat().st_mode & 0o044 == 0


def test_json_that_is_missing_or_broken_is_empty(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text('{"pid": ')

    assert read_json(broken) == {}
    assert read_json(tmp_path / "missing") == {}
