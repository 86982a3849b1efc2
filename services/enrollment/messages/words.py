"""Words of enrolment in the contract; used by replies and facts alike."""

from hrss.enrollment.v1 import enrollment_pb2 as model
from services.enrollment.accounting import ContributionState
from services.enrollment.domain.contributions import Scheme
from services.enrollment.register import EndReason, State, Track

SCHEMES = {
    Scheme.EMPLOYEE_PENSION: model.SCHEME_EMPLOYEE_PENSION,
    Scheme.UNEMPLOYMENT: model.SCHEME_UNEMPLOYMENT,
    Scheme.WORK_INJURY: model.SCHEME_WORK_INJURY,
    Scheme.GOVERNMENT_PENSION: model.SCHEME_GOVERNMENT_PENSION,
    Scheme.OCCUPATIONAL_ANNUITY: model.SCHEME_OCCUPATIONAL_ANNUITY,
    Scheme.RESIDENT_PENSION: model.SCHEME_RESIDENT_PENSION,
}
STATES = {
    State.ACTIVE: model.PARTICIPATION_STATE_ACTIVE,
    State.SUSPENDED: model.PARTICIPATION_STATE_SUSPENDED,
    State.ENDED: model.PARTICIPATION_STATE_ENDED,
}
SEXES = {"male": model.SEX_MALE, "female": model.SEX_FEMALE}
TRACKS = {
    Track.MALE_60: model.TRACK_MALE_60,
    Track.FEMALE_55: model.TRACK_FEMALE_55,
    Track.FEMALE_50: model.TRACK_FEMALE_50,
}
END_REASONS = {
    EndReason.RESIGNED: model.END_REASON_RESIGNED,
    EndReason.DISMISSED: model.END_REASON_DISMISSED,
    EndReason.CONTRACT_EXPIRED: model.END_REASON_CONTRACT_EXPIRED,
    EndReason.RETIRED: model.END_REASON_RETIRED,
    EndReason.DIED: model.END_REASON_DIED,
    EndReason.STOPPED: model.END_REASON_STOPPED,
    EndReason.EMPLOYED: model.END_REASON_EMPLOYED,
}
CONTRIBUTION_STATES = {
    ContributionState.PAID: model.CONTRIBUTION_STATE_PAID,
    ContributionState.UNPAID: model.CONTRIBUTION_STATE_UNPAID,
    ContributionState.DEEMED: model.CONTRIBUTION_STATE_DEEMED,
}
