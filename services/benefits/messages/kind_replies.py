"""Answers about the kinds beside employee pension and unemployment benefit."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from chassis.values import to_money, to_month, to_statement
from hrss.benefits.v1 import determinations_service_pb2 as pb
from hrss.type.v1 import money_pb2
from services.benefits.messages import keeping, replies
from services.benefits.messages.replies import NOTICE_EN, NOTICE_ZH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.benefits.operations.comparing import Compared, Result
    from services.benefits.operations.determinations import Shown
    from services.benefits.operations.proving import Difference, Proof, Verdict
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
    then, today = found.as_decided, found.today
    missing = today.refusal.metadata if today.refusal is not None else {}
    cause = today.cause.value if today.cause is not None else "UNSPECIFIED"
    return pb.RecomputeBenefitResponse(
        equal=today.difference is None and today.refusal is None,
        first_difference=_difference(today.difference),
        checked_count=found.checked,
        stored_policy_version=found.stored_version,
        policy_version=found.version,
        as_decided=pb.RecomputationAsDecided(
            verdict=_verdict(then.verdict),
            first_difference=_difference(then.difference),
            checked_count=then.checked,
            unchecked_count=then.unchecked,
            refusal_reason=then.refusal.reason if then.refusal else "",
            policy_version=then.version,
            release=then.release,
            release_now=found.release,
        ),
        today=pb.RecomputationToday(
            verdict=_verdict(today.verdict),
            monthly_change=to_money(today.monthly),
            owed=to_money(today.owed),
            cause=pb.RecomputationCause.Value(f"RECOMPUTATION_CAUSE_{cause}"),
            changes=[
                pb.RecomputationParameter(
                    file=one.file,
                    key=one.key,
                    old_value=one.old,
                    new_value=one.new,
                    was_provisional=one.was_provisional,
                )
                for one in today.changed
            ],
            refusal_reason=today.refusal.reason if today.refusal else "",
            refusal_parameter=" ".join(missing[name] for name in ("file", "key", "on") if name in missing),
        ),
    )


def _verdict(one: Verdict) -> pb.RecomputationVerdict.ValueType:
    return pb.RecomputationVerdict.Value(f"RECOMPUTATION_VERDICT_{one}")


def _difference(one: Difference | None) -> pb.RecomputationDifference | None:
    if one is None:
        return None
    return pb.RecomputationDifference(
        from_month=to_month(one.from_month), path=one.path, stored=one.stored, computed=one.computed
    )


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
