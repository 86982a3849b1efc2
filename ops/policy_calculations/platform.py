"""The plan's indicators, by the values of the platform."""

from collections.abc import Mapping
from typing import Any

from ops.policy_calculations.inputs import Calculation, Inputs
from services.gateway.platform import indicators


class PlatformCalculations:
    """The plan's indicators, by the values of the platform."""

    @property
    def calculations(self) -> Mapping[str, Calculation]:
        """What examples may ask for, by kind."""
        return {"indicator": self._indicator}

    def _indicator(self, inputs: Inputs) -> dict[str, Any]:
        comparison = indicators.Comparison(inputs.text("op").strip())
        actual, target = inputs.number("actual"), inputs.number("target")
        return {
            "met": indicators.reaches(actual, comparison, target),
            "progress": str(indicators.progress(actual, target)),
        }
