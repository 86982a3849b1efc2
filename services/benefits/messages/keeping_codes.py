"""Words of the room of keeping as the contract says them."""

from __future__ import annotations

from hrss.benefits.v1 import keeping_service_pb2 as pb
from services.benefits.keeping import (
    Method,
    RequestKind,
    RequestState,
    Source,
    SuspendReason,
    Way,
)

SOURCES: dict[Source, pb.CertificationSource.ValueType] = {
    one: pb.CertificationSource.Value(f"CERTIFICATION_SOURCE_{one.value}") for one in Source
}


REASONS: dict[SuspendReason, pb.SuspensionReason.ValueType] = {
    one: pb.SuspensionReason.Value(f"SUSPENSION_REASON_{one.value}") for one in SuspendReason
}


KINDS: dict[RequestKind, pb.KeepingRequestKind.ValueType] = {
    one: pb.KeepingRequestKind.Value(f"KEEPING_REQUEST_KIND_{one.value}") for one in RequestKind
}


STATES: dict[RequestState, pb.KeepingRequestState.ValueType] = {
    one: pb.KeepingRequestState.Value(f"KEEPING_REQUEST_STATE_{one.value}") for one in RequestState
}


METHODS: dict[Method, pb.RecoveryMethod.ValueType] = {
    one: pb.RecoveryMethod.Value(f"RECOVERY_METHOD_{one.value}") for one in Method
}


WAYS: dict[Way, pb.RecoveryWay.ValueType] = {one: pb.RecoveryWay.Value(f"RECOVERY_WAY_{one.value}") for one in Way}
