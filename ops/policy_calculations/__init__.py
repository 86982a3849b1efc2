"""Calculations that worked examples may ask for, each one a call into the domain of a service.

Nothing is calculated here: inputs of an example become values, the domain answers, its answer becomes text. What an
example states itself (a rate, a base) takes the place of the row of law; the rest is the law of
:data:`~ops.policy_calculations.inputs.DAY`. One file per room of the law.
"""

from typing import TYPE_CHECKING, Any

from chassis.policy import PolicyStore
from ops.policy_calculations.benefits import BenefitCalculations
from ops.policy_calculations.card import CardCalculations
from ops.policy_calculations.enrollment import EnrollmentCalculations
from ops.policy_calculations.injuries import InjuryCalculations
from ops.policy_calculations.inputs import Calculation, Inputs
from ops.policy_calculations.other_pensions import OtherPensionCalculations
from ops.policy_calculations.pensions import PensionCalculations
from ops.policy_calculations.platform import PlatformCalculations
from ops.policy_calculations.training import TrainingCalculations

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Calculator", "Inputs"]


class Calculator:
    """Runs examples against the law of one store."""

    def __init__(self, store: PolicyStore) -> None:
        self._calculations: Mapping[str, Calculation] = {
            **EnrollmentCalculations(store).calculations,
            **PensionCalculations(store).calculations,
            **OtherPensionCalculations(store).calculations,
            **BenefitCalculations(store).calculations,
            **InjuryCalculations(store).calculations,
            **TrainingCalculations(store).calculations,
            **CardCalculations(store).calculations,
            **PlatformCalculations().calculations,
        }

    def calculate(self, calc: str, inputs: Inputs) -> dict[str, Any] | None:
        """The outcome of a calculation, or nothing when there is no such calculation yet.

        Raises:
            DomainError: The inputs are wrong, the rule refuses, or a parameter is not known.
        """
        calculation = self._calculations.get(calc)
        return None if calculation is None else calculation(inputs)
