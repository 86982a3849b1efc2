"""EN05 职工参保登记(增员) and EN06 职工减员: the register of the insured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hrss.enrollment.v1 import enrollment_service_pb2 as enrollment
from kernel import ids
from kernel.errors import NotFound
from services.gateway.cases.effects.model import Item, Outcome, Phase, Step, Work, rpc

if TYPE_CHECKING:
    from chassis.principal import Principal

SERVICE = enrollment.DESCRIPTOR.services_by_name["EnrollmentService"]


def _enroll(work: Work) -> enrollment.EnrollPersonRequest:
    form = work.form.enrollment
    return enrollment.EnrollPersonRequest(
        employer_id=form.employer_id,
        name=form.name,
        id_no=form.id_no,
        start_month=form.start_month,
        wage=form.wage,
        post=form.post,
    )


def _enrolled(_work: Work, reply: enrollment.EnrollPersonResponse) -> Outcome:
    made = reply.enrollment
    return Outcome(result_id=made.enrollment_id, person_id=ids.parse("per", made.person_id))


def _look(work: Work) -> enrollment.GetEnrollmentRequest:
    return enrollment.GetEnrollmentRequest(enrollment_id=work.form.end_enrollment.enrollment_id)


def _same_person(work: Work, reply: enrollment.GetEnrollmentResponse) -> Outcome:
    """A clerk's or partner's call opens every enrolment, so the case itself sees to it that it is this person's."""
    if reply.enrollment.person_id != work.person_id:
        raise NotFound("ENROLLMENT_NOT_FOUND", "the enrolment is another person's")
    return Outcome()


def _end(work: Work) -> enrollment.EndEnrollmentRequest:
    form = work.form.end_enrollment
    return enrollment.EndEnrollmentRequest(
        enrollment_id=form.enrollment_id, end_month=form.end_month, reason=form.reason
    )


def _ended(_work: Work, reply: enrollment.EndEnrollmentResponse) -> Outcome:
    return Outcome(result_id=reply.enrollment.enrollment_id)


def _is_citizen(principal: Principal) -> bool:
    """The employer declares the end of an employment; from the employee somebody looks at it first."""
    return principal.roles.isdisjoint({"CLERK", "PARTNER"})


EN05 = Item(
    code="EN05",
    form="enrollment",
    roles=frozenset({"CLERK", "PARTNER"}),
    required=("employer_id", "name", "id_no", "start_month", "wage"),
    is_instant=True,
    names_person=False,
    steps=(Step("enroll", Phase.ACCEPT, rpc(SERVICE, "EnrollPerson"), _enroll, _enrolled),),
)
EN06 = Item(
    code="EN06",
    form="end_enrollment",
    roles=frozenset({"CITIZEN", "CLERK", "PARTNER"}),
    required=("enrollment_id", "end_month", "reason"),
    is_instant=True,
    waits=_is_citizen,
    steps=(
        Step("check", Phase.SUBMIT, rpc(SERVICE, "GetEnrollment"), _look, _same_person),
        Step("end", Phase.ACCEPT, rpc(SERVICE, "EndEnrollment"), _end, _ended),
    ),
)
