"""States, causes and results as the contract numbers them."""

from hrss.card.v1 import card_pb2 as model
from hrss.card.v1 import card_service_pb2 as pb
from services.card.domain.contact import NoticeWord
from services.card.domain.lifecycle import Actor, CardEvent, CardState, Physical, PhysicalEvent
from services.card.domain.verification import Detail, Group

CARD_STATES = {
    CardState.REQUESTED: model.CARD_STATE_REQUESTED,
    CardState.VERIFYING: model.CARD_STATE_VERIFYING,
    CardState.QUEUED: model.CARD_STATE_QUEUED,
    CardState.REJECTED: model.CARD_STATE_REJECTED,
    CardState.ISSUED: model.CARD_STATE_ISSUED,
    CardState.ACTIVE: model.CARD_STATE_ACTIVE,
    CardState.LOCKED: model.CARD_STATE_LOCKED,
    CardState.SUSPENDED_TEMP: model.CARD_STATE_SUSPENDED_TEMP,
    CardState.SUSPENDED_FORMAL: model.CARD_STATE_SUSPENDED_FORMAL,
    CardState.REPLACED: model.CARD_STATE_REPLACED,
    CardState.CANCELLED: model.CARD_STATE_CANCELLED,
    CardState.EXPIRED: model.CARD_STATE_EXPIRED,
}
PHYSICAL_STATES = {
    Physical.NORMAL: model.PHYSICAL_STATE_NORMAL,
    Physical.LOST: model.PHYSICAL_STATE_LOST,
    Physical.FORMALLY_LOST: model.PHYSICAL_STATE_FORMALLY_LOST,
    Physical.LOCKED: model.PHYSICAL_STATE_LOCKED,
    Physical.CANCELLED: model.PHYSICAL_STATE_CANCELLED,
}
CAUSES = {
    Actor.HOLDER: model.CARD_CAUSE_HOLDER,
    Actor.HOTLINE: model.CARD_CAUSE_HOTLINE,
    Actor.COUNTER: model.CARD_CAUSE_COUNTER,
    Actor.SECOND: model.CARD_CAUSE_COUNTER,
    Actor.PHYSICAL: model.CARD_CAUSE_PHYSICAL_CARD,
    Actor.RISK: model.CARD_CAUSE_RISK,
    Actor.BATCH: model.CARD_CAUSE_BATCH,
    Actor.SYSTEM: model.CARD_CAUSE_SYSTEM,
}
PHYSICAL_EVENTS = {
    pb.PHYSICAL_CARD_EVENT_ISSUED: PhysicalEvent.ISSUED,
    pb.PHYSICAL_CARD_EVENT_LOST: PhysicalEvent.LOST,
    pb.PHYSICAL_CARD_EVENT_UNLOST: PhysicalEvent.UNLOST,
    pb.PHYSICAL_CARD_EVENT_LOCKED: PhysicalEvent.LOCKED,
    pb.PHYSICAL_CARD_EVENT_CANCELLED: PhysicalEvent.CANCELLED,
    pb.PHYSICAL_CARD_EVENT_FORMALLY_LOST: PhysicalEvent.FORMALLY_LOST,
}
RESULTS = {group: pb.VerifyResult.Value(f"VERIFY_RESULT_{group.value}") for group in Group}
DETAILS = {detail: pb.VerifyDetail.Value(f"VERIFY_DETAIL_{detail.value}") for detail in Detail}
CHANGES: dict[str, pb.CardChange.ValueType] = {
    CardEvent.FAIL_PROOF: pb.CARD_CHANGE_REJECTED,
    CardEvent.DECLINE: pb.CARD_CHANGE_REJECTED,
    CardEvent.ISSUE: pb.CARD_CHANGE_ISSUED,
    CardEvent.ACTIVATE: pb.CARD_CHANGE_ACTIVATED,
    CardEvent.LOCK: pb.CARD_CHANGE_LOCKED,
    CardEvent.RESET_PIN: pb.CARD_CHANGE_PIN_RESET,
    CardEvent.UNLOCK: pb.CARD_CHANGE_UNLOCKED,
    CardEvent.SUSPEND: pb.CARD_CHANGE_SUSPENDED,
    CardEvent.RESUME: pb.CARD_CHANGE_RESUMED,
    CardEvent.LAPSE: pb.CARD_CHANGE_LAPSED,
    CardEvent.SUSPEND_FORMALLY: pb.CARD_CHANGE_SUSPENDED_FORMALLY,
    CardEvent.REPLACE: pb.CARD_CHANGE_REPLACED,
    CardEvent.CANCEL: pb.CARD_CHANGE_CANCELLED,
    CardEvent.DIE: pb.CARD_CHANGE_CANCELLED,
    CardEvent.EXPIRE: pb.CARD_CHANGE_EXPIRED,
    NoticeWord.DEATH_TAKEN_BACK: pb.CARD_CHANGE_DEATH_TAKEN_BACK,
    NoticeWord.PHONE_SET: pb.CARD_CHANGE_PHONE_SET,
    NoticeWord.PHONE_REMOVED: pb.CARD_CHANGE_PHONE_REMOVED,
}
_OWN_ACTIONS = {
    CardEvent.ACTIVATE: model.CARD_ACTION_ACTIVATE,
    CardEvent.RESET_PIN: model.CARD_ACTION_RESET_PIN,
    CardEvent.SUSPEND: model.CARD_ACTION_REPORT_LOSS,
    CardEvent.RESUME: model.CARD_ACTION_LIFT_LOSS,
}
HOLDER_ACTIONS = {
    (CardEvent.START_PROOF, Actor.SYSTEM): model.CARD_ACTION_START_PROOF,  # which the holder begins
    **{(event, Actor.HOLDER): action for event, action in _OWN_ACTIONS.items()},
    (CardEvent.CANCEL, Actor.HOLDER): model.CARD_ACTION_CANCEL,
}
COUNTER_ACTIONS = {
    (CardEvent.START_PROOF, Actor.SYSTEM): model.CARD_ACTION_START_PROOF,
    (CardEvent.PASS_PROOF, Actor.SYSTEM): model.CARD_ACTION_START_PROOF,
    **{(event, Actor.COUNTER): action for event, action in _OWN_ACTIONS.items()},
    (CardEvent.SUSPEND_FORMALLY, Actor.COUNTER): model.CARD_ACTION_REPORT_FORMAL_LOSS,
    (CardEvent.REPLACE, Actor.COUNTER): model.CARD_ACTION_REPLACE,
    (CardEvent.CANCEL, Actor.SECOND): model.CARD_ACTION_CANCEL,
}
