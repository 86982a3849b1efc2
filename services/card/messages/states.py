"""States, causes and results as the contract numbers them."""

from hrss.card.v1 import card_pb2 as model
from hrss.card.v1 import card_service_pb2 as pb
from services.card.domain.lifecycle import Actor, CardState, Physical, PhysicalEvent
from services.card.domain.verification import Detail, Group

CARD_STATES = {
    CardState.ISSUED: model.CARD_STATE_ISSUED,
    CardState.ACTIVE: model.CARD_STATE_ACTIVE,
    CardState.LOCKED: model.CARD_STATE_LOCKED,
    CardState.SUSPENDED: model.CARD_STATE_SUSPENDED,
    CardState.CANCELLED: model.CARD_STATE_CANCELLED,
}
PHYSICAL_STATES = {
    Physical.NORMAL: model.PHYSICAL_STATE_NORMAL,
    Physical.LOST: model.PHYSICAL_STATE_LOST,
    Physical.LOCKED: model.PHYSICAL_STATE_LOCKED,
    Physical.CANCELLED: model.PHYSICAL_STATE_CANCELLED,
}
CAUSES = {
    Actor.HOLDER: model.CARD_CAUSE_HOLDER,
    Actor.COUNTER: model.CARD_CAUSE_COUNTER,
    Actor.PHYSICAL: model.CARD_CAUSE_PHYSICAL_CARD,
    Actor.SYSTEM: model.CARD_CAUSE_SYSTEM,
}
PHYSICAL_EVENTS = {
    pb.PHYSICAL_CARD_EVENT_ISSUED: PhysicalEvent.ISSUED,
    pb.PHYSICAL_CARD_EVENT_LOST: PhysicalEvent.LOST,
    pb.PHYSICAL_CARD_EVENT_UNLOST: PhysicalEvent.UNLOST,
    pb.PHYSICAL_CARD_EVENT_LOCKED: PhysicalEvent.LOCKED,
    pb.PHYSICAL_CARD_EVENT_CANCELLED: PhysicalEvent.CANCELLED,
}
RESULTS = {group: pb.VerifyResult.Value(f"VERIFY_RESULT_{group.value}") for group in Group}
DETAILS = {detail: pb.VerifyDetail.Value(f"VERIFY_DETAIL_{detail.value}") for detail in Detail}
