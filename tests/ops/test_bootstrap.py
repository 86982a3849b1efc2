"""The bootstrap: makes an environment once, does nothing the second time, begins anew when something changed.

It runs on a project that needs nothing from a registry, so that the tests need no network.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from ops.home import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# Each makes a whole environment, which `make test` has just done for itself.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BACKEND = """
import pathlib, zipfile

NAME = "hrss-0.dist-info"


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    root = pathlib.Path(__file__).parent
    path = pathlib.Path(wheel_directory, "hrss-0-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("hrss.pth", str(root))
        wheel.writestr(f"{NAME}/METADATA", "Metadata-Version: 2.1\\nName: hrss\\nVersion: 0\\n")
        wheel.writestr(f"{NAME}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{NAME}/RECORD", "")
    return path.name


build_wheel = build_editable
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
GENERATE = 'import pathlib, sys\npathlib.Path(__file__).with_name("generated").write_text(sys.prefix)\n'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project below a private directory with the product's bootstrap and empty requirements."""
    root = tmp_path_factory.mktemp("private") / "project"
    for folder in ("tools", "proto", "requirements"):
        (root / folder).mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "bootstrap.py", root / "tools")
    (root / "pyproject.toml").write_text(PROJECT)
    (root / "backend.py").write_text(BACKEND)
    (root / "proto" / "build.py").touch()
    (root / "proto" / "generate.py").write_text(GENERATE)
    for name in ("bootstrap.txt", "runtime.txt", "embedded.txt", "development.txt", "runtime.in"):
        (root / "requirements" / name).write_text("# nothing\n")
    return root


def bootstrap(project: Path) -> subprocess.CompletedProcess[str]:
    """Run it, without a network."""
    return subprocess.run(
        [sys.executable, "tools/bootstrap.py"],
        cwd=project,
        env={"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_first_run_makes_the_environment_and_the_second_does_nothing(project: Path) -> None:
    first = bootstrap(project)
    assert first.returncode == 0, first.stdout + first.stderr

    started = time.monotonic()
    second = bootstrap(project)

    assert time.monotonic() - started < 10  # a fraction of a second on a quiet machine; making anything takes longer
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert "[bootstrap 1/3]" in first.stdout
    assert (project / "proto" / "generated").read_text() == str(project / ".venv")


def test_installer_that_does_not_run_is_replaced_by_pip(project: Path) -> None:
    # There is no uv in an environment without a registry, so the runs of this module have gone this way.
    (project / "requirements" / "runtime.txt").write_text("# something else\n")

    result = bootstrap(project)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "installing with pip" in result.stdout


def test_requirement_that_cannot_be_had_stops_it_with_one_line(project: Path) -> None:
    (project / "requirements" / "runtime.txt").write_text("no-such-distribution-of-ours==1\n")

    result = bootstrap(project)

    assert result.returncode == 1
    assert "failed with exit code 1" in result.stderr
    assert "Traceback" not in result.stderr

    (project / "requirements" / "runtime.txt").write_text("# nothing\n")
    assert bootstrap(project).returncode == 0


def test_broken_environment_is_made_anew(project: Path) -> None:
    (project / ".venv" / "bin" / "python").unlink()

    result = bootstrap(project)

    assert result.returncode == 0, result.stdout + result.stderr
    assert (project / ".venv" / "bin" / "python").exists()
