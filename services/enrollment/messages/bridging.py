"""Moves between the pensions of residents and employees in the contract."""

from chassis.values import to_date, to_money, to_statement, word_of
from hrss.enrollment.v1 import moving_service_pb2 as pb
from kernel import ids
from services.enrollment.domain.bridging import Direction
from services.enrollment.moving import Bridge

_DIRECTIONS = {
    pb.BRIDGE_DIRECTION_TO_EMPLOYEE: Direction.TO_EMPLOYEE,
    pb.BRIDGE_DIRECTION_TO_RESIDENT: Direction.TO_RESIDENT,
}
_NUMBERS = {direction: number for number, direction in _DIRECTIONS.items()}


def direction(request: pb.BridgePensionRequest) -> Direction:
    """Read the direction of a move.

    Raises:
        InvalidInput: VALUE_REQUIRED.
    """
    return word_of(_DIRECTIONS, request.direction, "direction")


def moved(result: tuple[Bridge, str]) -> pb.BridgePensionResponse:
    """Answer BridgePension."""
    return pb.BridgePensionResponse(bridge=_bridge(*result))


def shown(result: tuple[Bridge, str]) -> pb.GetPensionBridgeResponse:
    """Answer GetPensionBridge."""
    return pb.GetPensionBridgeResponse(bridge=_bridge(*result))


def _bridge(one: Bridge, policy_version: str) -> pb.PensionBridge:
    return pb.PensionBridge(
        bridge_id=ids.to_text("brg", one.bridge_id),
        person_id=ids.to_text("per", one.person_id),
        direction=_NUMBERS[one.direction],
        amount=to_money(one.amount),
        employee_months=one.employee_months,
        statement=to_statement(one.statement, policy_version),
        bridge_date=to_date(one.bridge_date),
    )
