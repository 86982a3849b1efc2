"""What `hrss bench city` is made of works: its jobs run in processes of their own and say what they measured."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from kernel.calendar import Month
from ops.bench.city_jobs import TODAY
from ops.home import ROOT
from ops.seed.main import seed
from ops.seed.people import Plan

if TYPE_CHECKING:
    from chassis.config import Settings
    from tests.plugins.databases import NewDatabase

PERSONS = 200


@pytest.fixture
def settings(new_database: NewDatabase) -> Settings:
    """A fresh enrollment database with a small city in it."""
    made = new_database.settings("enrollment")
    seed(Plan(1, PERSONS, Month(2025, 12)), made, Console(file=io.StringIO()), processes=1)
    return made


def said(settings: Settings, what: str, of: str, today: str) -> dict[str, Any]:
    """Run a job as the benchmark does; what it says."""
    told = {
        "HRSS_ENV": "dev",
        "HRSS_DATABASE_URL": settings.database_url,
        "HRSS_KEYS_DIR": str(settings.keys_dir),
        "HRSS_FILES_DIR": str(settings.files_dir),
        "HRSS_POLICY_LOCAL": str(ROOT / "policy" / "local" / "demo.yaml"),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
        TODAY: today,
    }
    command = [sys.executable, "-m", "ops.bench.city_jobs", what, of]
    done = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_jobs_of_a_city_are_run_and_measured(settings: Settings) -> None:
    billed = said(settings, "bill", "2025-11", "2025-12-20")
    computed = said(settings, "compute", "2025", "2026-02-01")
    closed = said(settings, "interest", "2025", "2026-02-01")

    assert (billed["state"], closed["state"]) == ("DONE", "DONE")
    assert PERSONS * 0.8 < billed["done"] < PERSONS
    assert computed["done"] == closed["done"] > PERSONS / 2
    assert 0 < computed["seconds"] < closed["seconds"]
    assert billed["memory_mib"] > 0
