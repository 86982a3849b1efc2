"""Answers about the kinds beside employee pension and unemployment benefit."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from chassis.values import to_month, to_statement
from hrss.benefits.v1 import determinations_service_pb2 as pb
from hrss.type.v1 import money_pb2
from services.benefits.messages import keeping, replies
from services.benefits.messages.replies import NOTICE_EN, NOTICE_ZH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.benefits.operations.comparing import Compared, Result
    from services.benefits.operations.determinations import Shown
    from services.benefits.operations.proving import Proof
    from services.benefits.store.keeping_requests import Request
    from services.benefits.store.rows import BenefitRow

Reply = TypeVar(
    "Reply",
    pb.PrepareGovernmentPensionResponse,
    pb.PrepareResidentPensionResponse,
    pb.PrepareDisabilityAllowanceResponse,
    pb.PrepareInjuryResponse,
    pb.PrepareInjuryTopUpResponse,
    pb.PrepareInjuryMedicalGrantResponse,
    pb.PrepareWorkDeathResponse,
    pb.PrepareSurvivorsResponse,
    pb.PrepareResidentFuneralResponse,
    pb.PrepareUnemploymentExtensionResponse,
    pb.PrepareUnemploymentLumpSumResponse,
)


def prepared(reply: type[Reply]) -> Callable[[Sequence[Shown]], Reply]:
    """What was prepared, in the response of an RPC."""
    return lambda shown: reply(determinations=[replies.determination(one).determination for one in shown])


def end_asked(asked: tuple[Request, BenefitRow]) -> pb.EndBenefitResponse:
    """The end of a benefit waits for a supervisor."""
    request, row = asked
    return pb.EndBenefitResponse(benefit=replies.benefits([row]).benefits[0], request=keeping.matter(request))


def proof(found: Proof) -> pb.RecomputeBenefitResponse:
    """What a recomputation found."""
    reply = pb.RecomputeBenefitResponse(
        equal=found.difference is None,
        checked_count=found.checked,
        stored_policy_version=found.stored_version,
        policy_version=found.version,
    )
    if found.difference is not None:
        one = found.difference
        reply.first_difference.CopyFrom(
            pb.RecomputationDifference(
                from_month=to_month(one.from_month), path=one.path, stored=one.stored, computed=one.computed
            )
        )
    return reply


def compared(made: Compared) -> pb.ComparePensionsResponse:
    """Scenarios side by side, which say that they are none of them a decision."""
    return pb.ComparePensionsResponse(
        results=[_result(one, made.policy_version) for one in made.results],
        notice_zh=NOTICE_ZH,
        notice_en=NOTICE_EN,
    )


def _result(one: Result, version: str) -> pb.ScenarioResult:
    if one.statement is None or one.first_month is None:
        assert one.refusal is not None
        details = [f"{name}={value}" for name, value in one.refusal.metadata.items()]
        return pb.ScenarioResult(refusal_reason=one.refusal.reason, refusal_details=details)
    return pb.ScenarioResult(
        statement=to_statement(one.statement, version),
        first_month=to_month(one.first_month),
        assumed_months=one.assumed_months,
        difference=money_pb2.Money(fen=one.difference.fen),
    )
