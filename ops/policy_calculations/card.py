"""The electronic card, by the law of cards."""

from collections.abc import Mapping
from typing import Any

from chassis.policy import PolicyStore
from kernel.errors import InvalidInput
from ops.policy_calculations.inputs import DAY, Calculation, Inputs
from services.card.domain import password
from services.card.policy import CardPolicy

LEVELS = (1, 2)
MONEY = ("pay", "settle", "contribut", "缴费", "结算", "支付")  # words in what examples call an act that moves money


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
        physical, level = inputs.text("physical").strip().lower(), inputs.whole("level")
        if level not in LEVELS:
            raise InvalidInput("INPUT_MALFORMED", "a level is 1 or 2", field="level")
        operation = inputs.text("operation").strip().lower()
        is_moving = any(word in operation for word in MONEY) and not operation.startswith(("query", "show", "查"))
        reason = self._law.obstacle(physical, level, "pay" if is_moving else operation, DAY)
        return {"usable": False, "reason": reason} if reason else {"usable": True}
