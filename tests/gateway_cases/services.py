"""Stand-ins of the four services: each answers the RPCs that items call, once per request id as the real ones do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf.message_factory import GetMessageClass

from chassis.client import Reply
from hrss.benefits.v1 import benefits_service_pb2 as benefits
from hrss.card.v1 import card_pb2
from hrss.card.v1 import card_service_pb2 as cards
from hrss.card.v1 import family_service_pb2 as families
from hrss.enrollment.v1 import enrollment_service_pb2 as enrollment
from hrss.training.v1 import training_service_pb2 as training
from kernel import ids
from kernel.errors import NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from chassis.principal import Principal

FILES = (enrollment, benefits, training, cards, families)
METHODS = {
    f"/{service.full_name}/{method.name}": method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
EMPLOYER = ids.to_text("emp", ids.new_id())
DIGEST = "d" * 64


@dataclass(frozen=True)
class Called:
    """One call that arrived."""

    rpc: str
    request: Any
    principal: Principal
    today: date


@dataclass
class Services:
    """What was called, and how to answer. Kept replies make a repeated call answer as before."""

    called: list[Called] = field(default_factory=list)
    people: dict[str, str] = field(default_factory=dict)  # last four characters by person
    wards: dict[str, str] = field(default_factory=dict)  # whom a family account that runs is for
    issued: dict[str, list[card_pb2.Card]] = field(default_factory=dict)
    enrollments: dict[str, str] = field(default_factory=dict)  # person by enrolment
    answers: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    replies: dict[tuple[str, str, str], tuple[bytes, bytes]] = field(default_factory=dict)
    effects: dict[str, int] = field(default_factory=dict)

    def person(self, last_four: str = "1234") -> str:
        """A person whom the register knows."""
        person_id = ids.to_text("per", ids.new_id())
        self.people[person_id] = last_four
        return person_id

    def enrolled(self, person_id: str) -> str:
        """An enrolment of a person."""
        enrollment_id = ids.to_text("enr", ids.new_id())
        self.enrollments[enrollment_id] = person_id
        return enrollment_id

    def card(self, person_id: str, state: card_pb2.CardState.ValueType = card_pb2.CARD_STATE_ISSUED) -> str:
        """A card of a person."""
        card_id = ids.to_text("crd", ids.new_id())
        self.issued.setdefault(person_id, []).append(card_pb2.Card(card_id=card_id, person_id=person_id, state=state))
        return card_id

    def refuse(self, rpc: str, *errors: Exception) -> None:
        """Refuse an RPC so many times, then answer it; a single error is for ever."""
        waiting = list(errors)
        usual = getattr(self, f"_{rpc}")

        def answer(request: Any) -> Any:
            if len(errors) == 1:
                raise errors[0]
            if waiting:
                raise waiting.pop(0)
            return usual(request)

        self.answers[rpc] = answer

    def mend(self, rpc: str) -> None:
        """Answer as usual again."""
        del self.answers[rpc]

    def of(self, rpc: str) -> list[Called]:
        """The calls of an RPC."""
        return [one for one in self.called if one.rpc == rpc]

    async def call(
        self,
        method: str,
        body: bytes,
        *,
        principal: Principal,
        today: date,
        **_given: Any,
    ) -> Reply:
        """Answer as a service: strictly once per caller and request id."""
        descriptor = METHODS[method]
        request: Any = GetMessageClass(descriptor.input_type).FromString(body)
        self.called.append(Called(descriptor.name, request, principal, today))
        once = getattr(request, "request_id", "")
        key = (principal.caller, method, once)
        if once and key in self.replies:
            known, reply = self.replies[key]
            if known != body:
                raise Refused("REQUEST_ID_REUSED", "another body")
            return Reply(reply, replayed=True)
        made = self.answers.get(descriptor.name, getattr(self, f"_{descriptor.name}"))(request)
        reply = made.SerializeToString()
        if once:
            self.replies[key] = (body, reply)
            self.effects[descriptor.name] = self.effects.get(descriptor.name, 0) + 1
        return Reply(reply)

    async def ready(self, _seconds: float) -> bool:
        """Always."""
        return True

    async def close(self) -> None:
        """Nothing is held."""

    # -- the register

    def _GetApplicant(self, request: enrollment.GetApplicantRequest) -> enrollment.GetApplicantResponse:
        if request.person_id not in self.people:
            raise NotFound("PERSON_NOT_FOUND", "no such person")
        made = enrollment.GetApplicantResponse(last_four=self.people[request.person_id])
        made.person.person_id, made.person.name_masked, made.person.division = request.person_id, "王*明", "320602"
        return made

    def _GetEmployer(self, request: enrollment.GetEmployerRequest) -> enrollment.GetEmployerResponse:
        made = enrollment.GetEmployerResponse()
        made.employer.employer_id, made.employer.division = request.employer_id, "320612"
        return made

    def _EnrollPerson(self, _request: enrollment.EnrollPersonRequest) -> enrollment.EnrollPersonResponse:
        made = enrollment.EnrollPersonResponse(person_created=True)
        made.enrollment.enrollment_id, made.enrollment.person_id = ids.to_text("enr", ids.new_id()), self.person()
        return made

    def _GetEnrollment(self, request: enrollment.GetEnrollmentRequest) -> enrollment.GetEnrollmentResponse:
        if request.enrollment_id not in self.enrollments:
            raise NotFound("ENROLLMENT_NOT_FOUND", "no such enrolment")
        made = enrollment.GetEnrollmentResponse()
        made.enrollment.enrollment_id = request.enrollment_id
        made.enrollment.person_id = self.enrollments[request.enrollment_id]
        return made

    def _EndEnrollment(self, request: enrollment.EndEnrollmentRequest) -> enrollment.EndEnrollmentResponse:
        made = enrollment.EndEnrollmentResponse()
        made.enrollment.enrollment_id = request.enrollment_id
        return made

    def _SettleAccount(self, _request: enrollment.SettleAccountRequest) -> enrollment.SettleAccountResponse:
        return enrollment.SettleAccountResponse()

    # -- benefits

    def _PreparePension(self, _request: benefits.PreparePensionRequest) -> benefits.PreparePensionResponse:
        made = benefits.PreparePensionResponse()
        self._fill(made.determination)
        return made

    def _PrepareUnemployment(
        self, _request: benefits.PrepareUnemploymentRequest
    ) -> benefits.PrepareUnemploymentResponse:
        made = benefits.PrepareUnemploymentResponse()
        self._fill(made.determination)
        return made

    def _fill(self, made: Any) -> None:
        made.determination_id = ids.to_text("det", ids.new_id())
        made.statement_digest = DIGEST
        made.statement.total.fen = 240_000

    def _ApproveDetermination(
        self, request: benefits.ApproveDeterminationRequest
    ) -> benefits.ApproveDeterminationResponse:
        made = benefits.ApproveDeterminationResponse()
        made.determination.determination_id = request.determination_id
        made.benefit.benefit_id = ids.to_text("ben", ids.new_id())
        return made

    def _RejectDetermination(
        self, request: benefits.RejectDeterminationRequest
    ) -> benefits.RejectDeterminationResponse:
        made = benefits.RejectDeterminationResponse()
        made.determination.determination_id = request.determination_id
        return made

    # -- training

    def _SubmitClaim(self, _request: training.SubmitClaimRequest) -> training.SubmitClaimResponse:
        made = training.SubmitClaimResponse()
        made.claim.claim_id = ids.to_text("clm", ids.new_id())
        return made

    def _PrepareClaim(self, request: training.PrepareClaimRequest) -> training.PrepareClaimResponse:
        made = training.PrepareClaimResponse()
        made.claim.claim_id, made.claim.statement_digest = request.claim_id, DIGEST
        made.claim.statement.total.fen = 150_000
        return made

    def _ApproveClaim(self, request: training.ApproveClaimRequest) -> training.ApproveClaimResponse:
        made = training.ApproveClaimResponse()
        made.claim.claim_id = request.claim_id
        return made

    def _RejectClaim(self, request: training.RejectClaimRequest) -> training.RejectClaimResponse:
        made = training.RejectClaimResponse()
        made.claim.claim_id = request.claim_id
        return made

    # -- cards

    def _ConfirmActing(self, request: families.ConfirmActingRequest) -> families.ConfirmActingResponse:
        if request.delegation_id not in self.wards:
            raise Refused("FAMILY_NOT_ACTIVE", "the family account does not run now")
        return families.ConfirmActingResponse(ward_id=self.wards[request.delegation_id])

    def _ListCards(self, request: cards.ListCardsRequest) -> cards.ListCardsResponse:
        return cards.ListCardsResponse(cards=self.issued.get(request.person_id, []))

    def _ActivateCard(self, request: cards.ActivateCardRequest) -> cards.ActivateCardResponse:
        made = cards.ActivateCardResponse()
        made.card.card_id = request.card_id
        return made

    def _ReportLoss(self, request: cards.ReportLossRequest) -> cards.ReportLossResponse:
        made = cards.ReportLossResponse()
        made.card.card_id = request.card_id
        return made

    def _LiftLoss(self, request: cards.LiftLossRequest) -> cards.LiftLossResponse:
        made = cards.LiftLossResponse()
        made.card.card_id = request.card_id
        return made
