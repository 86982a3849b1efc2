"""Runs inside the environment of openfisca-core: the pension as a tax-benefit system would write it, with its floats.

`rival_program.py PEOPLE.npz TOTALS.npy BASE RATE COEFFICIENT`; prints one line of JSON with the seconds.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

import numpy as np

PERIOD = "2025-07"
ROUNDS = 3
_INPUTS = {"index": float, "months": int, "balance": float, "payout": float, "pre1996": int}


def main(given: str, found: str, base: float, rate: float, coefficient: float) -> None:
    """Compute the pensions a few times; the median time counts, without the first, which gets its memory."""
    people = dict(np.load(given))
    system = _system(base, rate, coefficient)
    builder_module = importlib.import_module("openfisca_core.simulation_builder")
    seconds: list[float] = []
    totals: Any = None
    for turn in range(-1, ROUNDS):
        builder = builder_module.SimulationBuilder()
        builder.create_entities(system)
        builder.declare_person_entity("person", np.arange(len(people["index"])))
        simulation = builder.build(system)
        for name, column in people.items():
            simulation.set_input(name, PERIOD, column)
        begun = time.process_time()
        totals = simulation.calculate("pension", PERIOD)
        if turn >= 0:
            seconds.append(time.process_time() - begun)
    np.save(found, totals)
    sys.stdout.write(json.dumps({"seconds": sorted(seconds)[ROUNDS // 2], "dtype": str(totals.dtype)}) + "\n")


def _system(base: float, rate: float, coefficient: float) -> Any:
    """The law as variables of the library."""
    month = importlib.import_module("openfisca_core.periods").MONTH
    variable = importlib.import_module("openfisca_core.variables").Variable
    person = importlib.import_module("openfisca_core.entities").build_entity(
        key="person", plural="persons", label="a person", is_person=True
    )

    def basic(of: Any, period: Any) -> Any:
        return _half_up(base * (1 + of("index", period)) / 2 * of("months", period) / 12 * rate)

    def account(of: Any, period: Any) -> Any:
        return _half_up(of("balance", period) / of("payout", period))

    def transitional(of: Any, period: Any) -> Any:
        return _half_up(base * of("index", period) * of("pre1996", period) / 12 * coefficient)

    def pension(of: Any, period: Any) -> Any:
        total = of("basic", period) + of("account", period) + of("transitional", period)
        return np.ceil(np.round(total * 10, 4)) / 10

    system = importlib.import_module("openfisca_core.taxbenefitsystems").TaxBenefitSystem([person])
    common = {"entity": person, "definition_period": month}
    for name, kind in _INPUTS.items():
        system.add_variable(type(name, (variable,), {**common, "value_type": kind, "label": name}))
    for formula in (basic, account, transitional, pension):
        name = formula.__name__
        system.add_variable(type(name, (variable,), {**common, "value_type": float, "label": name, "formula": formula}))
    return system


def _half_up(amount: Any) -> Any:
    return np.floor(amount * 100 + 0.5) / 100


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *(float(one) for one in sys.argv[3:6]))
