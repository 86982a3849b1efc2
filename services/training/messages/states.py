"""States and kinds as the contract numbers them."""

from hrss.training.v1 import training_pb2 as pb
from services.training.lifecycle import ClaimState, IssuerType, OrderState

ISSUER_TYPES = {
    IssuerType.ASSESSMENT_BODY: pb.ISSUER_TYPE_ASSESSMENT_BODY,
    IssuerType.EMPLOYER: pb.ISSUER_TYPE_EMPLOYER,
    IssuerType.STATE_QUALIFICATION: pb.ISSUER_TYPE_STATE_QUALIFICATION,
}
CLAIM_STATES = {
    ClaimState.SUBMITTED: pb.CLAIM_STATE_SUBMITTED,
    ClaimState.PREPARED: pb.CLAIM_STATE_PREPARED,
    ClaimState.APPROVED: pb.CLAIM_STATE_APPROVED,
    ClaimState.REJECTED: pb.CLAIM_STATE_REJECTED,
}
ORDER_STATES = {
    OrderState.RELEASED: pb.SUBSIDY_ORDER_STATE_RELEASED,
    OrderState.CONFIRMED: pb.SUBSIDY_ORDER_STATE_CONFIRMED,
    OrderState.RETURNED: pb.SUBSIDY_ORDER_STATE_RETURNED,
}
