"""openfisca-core beside us: the formula of a pension in its style, in an environment that is its own.

Nothing of the product depends on it. The environment is made below `var/` when a benchmark first asks, with the version
that is named here; the program `rival_program.py` runs inside and tells its time and its pensions.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ops.home import ROOT

if TYPE_CHECKING:
    from services.benefits.domain.pension import PensionRules
    from services.benefits.domain.population import Column, Pensioners

VERSION = "46.0.1"
ENVIRONMENT = ROOT / "var" / f"openfisca-core-{VERSION}"
PROGRAM = Path(__file__).with_name("rival_program.py")
_INSTALL_SECONDS, _RUN_SECONDS = 300.0, 300.0


class Away(RuntimeError):  # noqa: N818 - read as a sentence
    """The rival cannot be measured here; says why."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the rival did."""

    version: str
    rate: float  # pensions a second of processor time
    totals: Column


def run(people: Pensioners, rules: PensionRules) -> Said:
    """Let the rival compute the same pensions.

    Raises:
        Away: It cannot be installed or does not run.
    """
    python = _environment()
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "people.npz", Path(folder) / "totals.npy"
        np.savez(
            given,
            index=people.index4 / 10**4,
            months=people.months,
            balance=people.balance / 100,
            payout=people.payout / 10,
            pre1996=people.pre1996,
        )
        law = [str(rules.base.value), str(rules.basic_rate.value), str(rules.coefficient.value)]
        said = _call([str(python), "-I", str(PROGRAM), str(given), str(found), *law], _RUN_SECONDS)
        told = json.loads(said.splitlines()[-1])
        yuan = np.load(found).astype(np.float64)
    return Said(VERSION, len(yuan) / told["seconds"], np.rint(yuan * 100).astype(np.int64))


def _environment() -> Path:
    python = ENVIRONMENT / "bin" / "python"
    ready = ENVIRONMENT / "ready"
    if not ready.exists():
        try:
            venv.create(ENVIRONMENT, with_pip=True, clear=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Away(f"no environment: {error}") from None
        _call([str(python), "-m", "pip", "install", "--quiet", f"openfisca-core=={VERSION}"], _INSTALL_SECONDS)
        ready.touch()
    return python


def _call(command: list[str], seconds: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)  # noqa: S603 - ours
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Away(str(error)) from None
    if done.returncode:
        raise Away(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"ended with {done.returncode}")
    return done.stdout
