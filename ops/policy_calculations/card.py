"""The electronic card, by the law of cards."""

from collections.abc import Mapping
from typing import Any

from chassis.policy import PolicyStore
from ops.policy_calculations.inputs import DAY, Calculation, Inputs
from services.card.domain import password
from services.card.policy import CardPolicy


class CardCalculations:
    """The electronic card, by the law of cards."""

    def __init__(self, store: PolicyStore) -> None:
        self._law = CardPolicy(store)

    @property
    def calculations(self) -> Mapping[str, Calculation]:
        """What examples may ask for, by kind."""
        return {
            "ecard_password": self._ecard_password,
            "ecard_usable": self._ecard_usable,
        }

    def _ecard_password(self, inputs: Inputs) -> dict[str, Any]:
        id_no = inputs.text("id_number") if inputs.has("id_number") else ""
        length = self._law.pin_length.on(DAY).value
        reason = password.weakness(inputs.text("password"), id_no, length)
        return {"ok": False, "reason": reason} if reason else {"ok": True}

    def _ecard_usable(self, inputs: Inputs) -> dict[str, Any]:
        reason = self._law.obstacle(
            inputs.text("physical").lower(), inputs.whole("level"), inputs.text("operation"), DAY
        )
        return {"usable": False, "reason": reason} if reason else {"usable": True}
