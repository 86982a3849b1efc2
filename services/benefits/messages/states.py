"""States and kinds as the contract numbers them."""

from hrss.benefits.v1 import benefits_pb2 as pb
from services.benefits.lifecycle import BenefitState, DeterminationState, EndReason, Kind, PayrollState

BENEFIT_KINDS = {
    Kind.EMPLOYEE_PENSION: pb.BENEFIT_KIND_EMPLOYEE_PENSION,
    Kind.UNEMPLOYMENT: pb.BENEFIT_KIND_UNEMPLOYMENT,
}
DETERMINATION_STATES = {
    DeterminationState.PREPARED: pb.DETERMINATION_STATE_PREPARED,
    DeterminationState.APPROVED: pb.DETERMINATION_STATE_APPROVED,
    DeterminationState.REJECTED: pb.DETERMINATION_STATE_REJECTED,
}
BENEFIT_STATES = {
    BenefitState.ACTIVE: pb.BENEFIT_STATE_ACTIVE,
    BenefitState.SUSPENDED: pb.BENEFIT_STATE_SUSPENDED,
    BenefitState.ENDED: pb.BENEFIT_STATE_ENDED,
}
END_REASONS = {
    EndReason.EXHAUSTED: pb.BENEFIT_END_REASON_EXHAUSTED,
    EndReason.REEMPLOYED: pb.BENEFIT_END_REASON_REEMPLOYED,
    EndReason.RETIRED: pb.BENEFIT_END_REASON_RETIRED,
    EndReason.DIED: pb.BENEFIT_END_REASON_DIED,
}
PAYROLL_STATES = {
    PayrollState.PREPARING: pb.PAYROLL_STATE_PREPARING,
    PayrollState.PREPARED: pb.PAYROLL_STATE_PREPARED,
    PayrollState.APPROVED: pb.PAYROLL_STATE_APPROVED,
}
