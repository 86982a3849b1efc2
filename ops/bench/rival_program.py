"""Runs inside the environment of openfisca-core: the pension as a tax-benefit system would write it, with its floats.

`rival_program.py PEOPLE.npz TOTALS.npy BASE RATE COEFFICIENT`; prints one line of JSON with the seconds.
"""

import json
import sys
import time

import numpy as np
from openfisca_core import periods
from openfisca_core.entities import build_entity
from openfisca_core.simulation_builder import SimulationBuilder
from openfisca_core.taxbenefitsystems import TaxBenefitSystem
from openfisca_core.variables import Variable

PERIOD = "2025-07"
ROUNDS = 3

Person = build_entity(key="person", plural="persons", label="a person", is_person=True)


def _half_up(amount):
    return np.floor(amount * 100 + 0.5) / 100


def _input(name, kind):
    return type(
        name,
        (Variable,),
        {"value_type": kind, "entity": Person, "definition_period": periods.MONTH, "label": name},
    )


def _system(base, rate, coefficient):
    class basic(Variable):  # noqa: N801 - a variable is named as its class
        value_type = float
        entity = Person
        definition_period = periods.MONTH
        label = "basic item"

        def formula(person, period):  # noqa: N805 - as the library wants it
            share = (1 + person("index", period)) / 2 * person("months", period) / 12
            return _half_up(base * share * rate)

    class account(Variable):  # noqa: N801
        value_type = float
        entity = Person
        definition_period = periods.MONTH
        label = "account item"

        def formula(person, period):  # noqa: N805
            return _half_up(person("balance", period) / person("payout", period))

    class transitional(Variable):  # noqa: N801
        value_type = float
        entity = Person
        definition_period = periods.MONTH
        label = "transitional item"

        def formula(person, period):  # noqa: N805
            years = person("pre1996", period) / 12
            return _half_up(base * person("index", period) * years * coefficient)

    class pension(Variable):  # noqa: N801
        value_type = float
        entity = Person
        definition_period = periods.MONTH
        label = "what is paid"

        def formula(person, period):  # noqa: N805
            total = person("basic", period) + person("account", period) + person("transitional", period)
            return np.ceil(np.round(total * 10, 4)) / 10

    system = TaxBenefitSystem([Person])
    inputs = {"index": float, "months": int, "balance": float, "payout": float, "pre1996": int}
    for name, kind in inputs.items():
        system.add_variable(_input(name, kind))
    for variable in (basic, account, transitional, pension):
        system.add_variable(variable)
    return system


def main(given, found, base, rate, coefficient):
    """Compute the pensions a few times; the median time counts."""
    people = dict(np.load(given))
    system = _system(float(base), float(rate), float(coefficient))
    count = len(people["index"])
    seconds = []
    for _ in range(ROUNDS):
        builder = SimulationBuilder()
        builder.create_entities(system)
        builder.declare_person_entity("person", np.arange(count))
        simulation = builder.build(system)
        for name, column in people.items():
            simulation.set_input(name, PERIOD, column)
        begun = time.process_time()
        totals = simulation.calculate("pension", PERIOD)
        seconds.append(time.process_time() - begun)
    np.save(found, totals)
    sys.stdout.write(json.dumps({"seconds": sorted(seconds)[ROUNDS // 2], "dtype": str(totals.dtype)}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
