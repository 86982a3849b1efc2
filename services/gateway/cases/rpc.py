"""The edge of cases for callers: a few lines a method."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

from chassis import transaction
from chassis.call import Servicer
from chassis.client import Deadline
from chassis.principal import Principal
from hrss.card.v1 import family_service_pb2 as family
from hrss.enrollment.v1 import enrollment_service_pb2 as enrollment
from hrss.gateway.v1 import cases_service_pb2 as pb
from kernel import ids
from kernel.errors import InvalidInput, NotFound
from services.gateway.cases import forms, messages, store
from services.gateway.cases.domain import number
from services.gateway.cases.domain.states import State
from services.gateway.cases.effects import all as catalog
from services.gateway.cases.operations import applying, reading, working
from services.gateway.cases.operations.applying import Applicant, Application
from services.gateway.cases.policy import CITY, region_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from chassis.call import Call
    from services.gateway.cases.desk import Desk
    from services.gateway.cases.operations.reading import Shown
    from services.gateway.cases.store import CaseRow
    from services.gateway.edge.backends import Guarded

T = TypeVar("T")

INSTANT_SECONDS = 2.0  # how long the answer of an instant item waits for its end; afterwards it says how far it came
_REST_SECONDS = 0.8  # of the caller's time for what comes after the wait
_POLL_SECONDS = 0.25  # another gateway may have taken the step
_LOOK_UP_SECONDS = 3.0
_FAMILY = "/hrss.card.v1.FamilyService"
_SERVICE = "/hrss.enrollment.v1.EnrollmentService"
# The gateway asks the register in its own name, for whoever may apply.
_GATEWAY = Principal(
    subject="gateway",
    client="gateway",
    roles=frozenset({"PARTNER"}),
    scopes=frozenset({"persons.applicant", "enrollment.read"}),
    purpose="case",
)
_QUEUES = {
    pb.CASE_QUEUE_UNSPECIFIED: "",
    pb.CASE_QUEUE_TO_ACCEPT: "TO_ACCEPT",
    pb.CASE_QUEUE_TO_DECIDE: "TO_DECIDE",
    pb.CASE_QUEUE_OVERDUE: "OVERDUE",
    pb.CASE_QUEUE_STUCK: "STUCK",
}


class CaseRpc(Servicer):
    """What the gateway answers about cases."""

    service = pb.DESCRIPTOR.services_by_name["CaseService"]

    def __init__(
        self, desk: Desk, register: Guarded, cards: Guarded, *, patience_seconds: float = INSTANT_SECONDS
    ) -> None:
        self._desk = desk
        self.patience_seconds = patience_seconds
        self._register = register
        self._cards = cards

    async def CreateCase(self, request: pb.CreateCaseRequest, call: Call) -> pb.CreateCaseResponse:
        """Create a case; an instant one is answered with its end where that comes soon."""
        known = self._desk.policy.terms(request.code, call.today)
        catalog.require(request.code, is_known=known is not None)
        asked, acting = messages.create_case(request), None
        if asked.delegation_id:
            command, acting = applying.permit_for_ward(asked, call.principal, await self._ward(asked, call))
        else:
            command = applying.permit(asked, call.principal)
        applicant = await self._applicant(command, call)
        if acting is not None:
            applying.require_paid_to(command.form, applicant)
        made = await call.once(
            lambda tx: self._shown(tx, applying.create(tx, self._desk, command, applicant, acting)), messages.created
        )
        if command.is_submitted:
            return pb.CreateCaseResponse(case=await self._settled(made.case, call))
        return made

    async def GetCase(self, request: pb.GetCaseRequest, call: Call) -> pb.GetCaseResponse:
        """Show a case."""
        case_no = number_of(request.case_no)
        return await call.read(lambda tx: reading.case(tx, self._desk, case_no), messages.got)

    async def ListCaseEvents(self, request: pb.ListCaseEventsRequest, call: Call) -> pb.ListCaseEventsResponse:
        """List what happened to a case."""
        case_no = number_of(request.case_no)
        return await call.read(lambda tx: reading.events(tx, case_no), lambda found: messages.events(found, self._desk))

    async def ListPersonCases(self, request: pb.ListPersonCasesRequest, call: Call) -> pb.ListPersonCasesResponse:
        """List the cases of a person."""
        person_id = ids.parse("per", request.person_id, field="person_id")
        return await call.read(
            lambda tx: reading.of_person(tx, self._desk, person_id, size=request.page_size, token=request.page_token),
            messages.of_person,
        )

    async def ListQueue(self, request: pb.ListQueueRequest, call: Call) -> pb.ListQueueResponse:
        """List what waits for staff."""
        kind = _QUEUES.get(request.queue, "")
        return await call.read(
            lambda tx: reading.queue(
                tx, self._desk, kind, code=request.item_code, size=request.page_size, token=request.page_token
            ),
            messages.queue,
        )

    async def SubmitCase(self, request: pb.SubmitCaseRequest, call: Call) -> pb.SubmitCaseResponse:
        """Hand in a draft."""
        case_no = number_of(request.case_no)
        made = await call.once(
            lambda tx: self._shown(tx, applying.submit(tx, self._desk, case_no)),
            lambda shown: pb.SubmitCaseResponse(case=messages.case(shown)),
        )
        return pb.SubmitCaseResponse(case=await self._settled(made.case, call))

    async def CorrectCase(self, request: pb.CorrectCaseRequest, call: Call) -> pb.CorrectCaseResponse:
        """Replace the form."""
        case_no = number_of(request.case_no)
        return await call.once(
            lambda tx: self._shown(tx, applying.correct(tx, self._desk, case_no, request.form)),
            lambda shown: pb.CorrectCaseResponse(case=messages.case(shown)),
        )

    async def WithdrawCase(self, request: pb.WithdrawCaseRequest, call: Call) -> pb.WithdrawCaseResponse:
        """Withdraw a case."""
        case_no = number_of(request.case_no)
        return await call.once(
            lambda tx: self._shown(tx, applying.withdraw(tx, self._desk, case_no)),
            lambda shown: pb.WithdrawCaseResponse(case=messages.case(shown)),
        )

    async def AcceptCase(self, request: pb.AcceptCaseRequest, call: Call) -> pb.AcceptCaseResponse:
        """Accept a case, first person."""
        case_no = number_of(request.case_no)
        return await call.once(
            lambda tx: self._shown(tx, working.accept(tx, self._desk, case_no)),
            lambda shown: pb.AcceptCaseResponse(case=messages.case(shown)),
        )

    async def DeclineCase(self, request: pb.DeclineCaseRequest, call: Call) -> pb.DeclineCaseResponse:
        """Decline a case."""
        case_no = number_of(request.case_no)
        return await call.once(
            lambda tx: self._shown(tx, working.decline(tx, self._desk, case_no, request.reason)),
            lambda shown: pb.DeclineCaseResponse(case=messages.case(shown)),
        )

    async def RequestCorrection(self, request: pb.RequestCorrectionRequest, call: Call) -> pb.RequestCorrectionResponse:
        """Send a case back."""
        case_no = number_of(request.case_no)
        return await call.once(
            lambda tx: self._shown(tx, working.request_correction(tx, self._desk, case_no, request.points)),
            lambda shown: pb.RequestCorrectionResponse(case=messages.case(shown)),
        )

    async def DecideCase(self, request: pb.DecideCaseRequest, call: Call) -> pb.DecideCaseResponse:
        """Decide a case, second person."""
        case_no = number_of(request.case_no)
        if request.outcome == pb.CASE_OUTCOME_UNSPECIFIED:
            raise InvalidInput("CASE_OUTCOME_REQUIRED", "say whether it is approved or rejected", field="outcome")

        async def decide(tx: transaction.Transaction) -> CaseRow:
            if request.outcome == pb.CASE_OUTCOME_APPROVED:
                return await working.approve(tx, self._desk, case_no, request.statement_digest)
            return await working.reject(tx, self._desk, case_no, request.reason)

        return await call.once(
            lambda tx: self._shown(tx, decide(tx)), lambda shown: pb.DecideCaseResponse(case=messages.case(shown))
        )

    async def RetryCase(self, request: pb.RetryCaseRequest, call: Call) -> pb.RetryCaseResponse:
        """Try a refused step once more."""
        case_no = number_of(request.case_no)
        return await call.once(
            lambda tx: self._shown(tx, working.retry(tx, self._desk, case_no)),
            lambda shown: pb.RetryCaseResponse(case=messages.case(shown)),
        )

    async def TrackCase(self, request: pb.TrackCaseRequest, call: Call) -> pb.TrackCaseResponse:
        """Follow a case without a login."""
        case_no = number.parse(request.case_no)
        shown = await self._transaction(call, lambda tx: reading.track(tx, self._desk, case_no, request.last_four))
        if shown is None:
            raise store.not_found()
        return messages.tracked(shown)

    async def ListMessages(self, request: pb.ListMessagesRequest, call: Call) -> pb.ListMessagesResponse:
        """List the messages to a person."""
        person_id = ids.parse("per", request.person_id, field="person_id")
        return await call.read(
            lambda tx: reading.messages(tx, person_id, size=request.page_size, token=request.page_token),
            lambda found: messages.messages(found, self._desk),
        )

    # -- what several of them need

    async def _shown(self, tx: transaction.Transaction, work: Awaitable[CaseRow]) -> Shown:
        return await reading.show(tx, self._desk, await work)

    async def _transaction(self, call: Call, work: Callable[[transaction.Transaction], Awaitable[T]]) -> T:
        return await transaction.run(
            call.database,
            work,
            principal=call.principal,
            today=call.today,
            method=call.method,
            request_id=call.request_id,
        )

    async def _settled(self, made: pb.Case, call: Call) -> pb.Case:
        """An instant case with its end, or how far it came in a moment; parts of a bundle take their own time."""
        if made.state != pb.CASE_STATE_ACCEPTED or made.bundle_code:
            return made
        case_no = number.parse(made.case_no)
        until = time.monotonic() + max(0.0, min(self.patience_seconds, call.remaining() - _REST_SECONDS))
        row = await self._transaction(call, lambda tx: store.find(tx, case_no))
        assert row is not None
        moved = self._desk.watch(row.case_id)
        try:
            while True:
                shown = await self._transaction(call, lambda tx: self._again(tx, row.case_id))
                if shown.row.state is not State.ACCEPTED or shown.row.is_stuck or time.monotonic() >= until:
                    return messages.case(shown)
                moved.clear()
                try:
                    async with asyncio.timeout(min(_POLL_SECONDS, max(0.01, until - time.monotonic()))):
                        await moved.wait()
                except TimeoutError:
                    continue
        finally:
            self._desk.unwatch(row.case_id, moved)

    async def _again(self, tx: transaction.Transaction, case_id: UUID) -> Shown:
        return await reading.show(tx, self._desk, await store.get(tx, case_id))

    async def _applicant(self, command: Application, call: Call) -> Applicant:
        """Whom the case is about, from the register or, for a new person, from the form.

        Raises:
            NotFound: PERSON_NOT_FOUND, EMPLOYER_NOT_FOUND.
        """
        if command.person_id is None:
            form = command.form.enrollment
            region = CITY
            if form.employer_id:
                ask = enrollment.GetEmployerRequest(employer_id=form.employer_id)
                body = await self._ask("GetEmployer", ask.SerializeToString(), call)
                region = region_of(enrollment.GetEmployerResponse.FromString(body).employer.division)
            id_no = form.id_no.strip()
            return Applicant(None, forms.mask_name(form.name.strip()), id_no[-4:], region)
        request = enrollment.GetApplicantRequest(person_id=ids.to_text("per", command.person_id))
        body = await self._ask("GetApplicant", request.SerializeToString(), call)
        found = enrollment.GetApplicantResponse.FromString(body)
        region = region_of(found.person.division)
        return Applicant(command.person_id, found.person.name_masked, found.last_four, region)

    async def _ward(self, command: Application, call: Call) -> UUID:
        """Whom the caller acts for by a family account, as the card service confirms in this moment.

        Raises:
            NotFound: FAMILY_NOT_FOUND, CARD_NOT_FOUND.
            Forbidden: FAMILY_SCOPE_MISSING, ROLE_NOT_ALLOWED.
            Refused: FAMILY_NOT_ACTIVE, CARD_NOT_ACTIVE, CARD_NOT_USABLE.
        """
        request = family.ConfirmActingRequest(delegation_id=command.delegation_id, scope=family.FAMILY_SCOPE_APPLY)
        reply = await self._cards.call(
            f"{_FAMILY}/ConfirmActing",
            request.SerializeToString(),
            principal=call.principal,
            today=call.today,
            deadline=Deadline.after(min(_LOOK_UP_SECONDS, call.remaining())),
            priority="citizen",
            request_id=call.request_id,
        )
        return ids.parse("per", family.ConfirmActingResponse.FromString(reply.body).ward_id)

    async def _ask(self, name: str, body: bytes, call: Call) -> bytes:
        reply = await self._register.call(
            f"{_SERVICE}/{name}",
            body,
            principal=_GATEWAY,
            today=call.today,
            deadline=Deadline.after(min(_LOOK_UP_SECONDS, call.remaining())),
            priority="staff" if call.principal.is_staff else "citizen",
            request_id=call.request_id,
        )
        return reply.body


def number_of(text: str) -> str:
    """The number of a path; one that is no number is answered like one that nobody has.

    Raises:
        NotFound: CASE_NOT_FOUND.
    """
    try:
        return number.parse(text)
    except InvalidInput:
        raise NotFound("CASE_NOT_FOUND", "no such case") from None
