"""The plan's indicators, by the values of the platform."""

from collections.abc import Mapping
from typing import Any

from ops.policy_calculations.inputs import Calculation, Inputs
from services.gateway.platform import indicators

SIGNS = {"≥": ">=", "≤": "<=", "＞": ">", "＜": "<"}  # how examples may print a sign


class PlatformCalculations:
    """The plan's indicators, by the values of the platform."""

    @property
    def calculations(self) -> Mapping[str, Calculation]:
        """What examples may ask for, by kind."""
        return {"indicator": self._indicator}

    def _indicator(self, inputs: Inputs) -> dict[str, Any]:
        sign = inputs.text("op").strip()
        comparison = indicators.Comparison(SIGNS.get(sign, sign))
        actual, target = inputs.number("actual"), inputs.number("target")
        return {
            "met": indicators.reaches(actual, comparison, target),
            "progress": str(indicators.progress(actual, target)),
        }
