"""PersonsService: its requests as values, and values as its replies."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Protocol
from uuid import UUID

from chassis.jobs import Job
from chassis.values import date_of, month_of, to_date, to_job, to_money, to_month, to_rate
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as roster_pb
from hrss.enrollment.v1 import persons_service_pb2 as pb
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.identity import DocumentKind, Sex, document_kind
from kernel.money import Money
from services.enrollment import commands
from services.enrollment.messages import replies, requests
from services.enrollment.messages.words import SEXES
from services.enrollment.persons import (
    BEGINNING,
    Cause,
    ChangeEmployer,
    ChangePerson,
    Death,
    DeathSource,
    DuplicateReason,
    EmployerVersion,
    Merge,
    RecordDeath,
    Request,
    RequestKind,
    RequestState,
    Version,
    check_evidence,
)
from services.enrollment.register import Employer, Person, check_division, check_phone, mask_id_no, mask_name

_CAUSES = {pb.CHANGE_KIND_CHANGE: Cause.CHANGE, pb.CHANGE_KIND_CORRECTION: Cause.CORRECTION}
_SAID_CAUSES = {
    Cause.REGISTERED: pb.VERSION_CAUSE_REGISTERED,
    Cause.CHANGE: pb.VERSION_CAUSE_CHANGE,
    Cause.CORRECTION: pb.VERSION_CAUSE_CORRECTION,
}
_DOCUMENTS = {
    DocumentKind.CITIZEN: pb.DOCUMENT_KIND_CITIZEN,
    DocumentKind.HK_MACAO_TAIWAN: pb.DOCUMENT_KIND_HK_MACAO_TAIWAN,
    DocumentKind.FOREIGN: pb.DOCUMENT_KIND_FOREIGN,
    DocumentKind.FOREIGN_2017: pb.DOCUMENT_KIND_FOREIGN_2017,
}
_KINDS = {
    RequestKind.CHANGE: pb.PERSON_REQUEST_KIND_CHANGE,
    RequestKind.DEATH: pb.PERSON_REQUEST_KIND_DEATH,
    RequestKind.MERGE: pb.PERSON_REQUEST_KIND_MERGE,
    RequestKind.UNMERGE: pb.PERSON_REQUEST_KIND_UNMERGE,
}
_STATES = {
    RequestState.WAITING: pb.PERSON_REQUEST_STATE_WAITING,
    RequestState.DONE: pb.PERSON_REQUEST_STATE_DONE,
    RequestState.REJECTED: pb.PERSON_REQUEST_STATE_REJECTED,
}
_SOURCES = {
    pb.DEATH_SOURCE_MEDICAL: DeathSource.MEDICAL,
    pb.DEATH_SOURCE_CREMATION: DeathSource.CREMATION,
    pb.DEATH_SOURCE_HOUSEHOLD: DeathSource.HOUSEHOLD,
    pb.DEATH_SOURCE_COURT: DeathSource.COURT,
}
_SAID_SOURCES = {source: number for number, source in _SOURCES.items()}
_REASONS = {
    DuplicateReason.NUMBER: pb.DUPLICATE_REASON_NUMBER,
    DuplicateReason.NAME_BIRTH_PHONE: pb.DUPLICATE_REASON_NAME_BIRTH_PHONE,
}
_MODES = {
    pb.DECLARATION_MODE_UNSPECIFIED: roster_pb.ROSTER_MODE_UNSPECIFIED,
    pb.DECLARATION_MODE_PARTIAL: roster_pb.ROSTER_MODE_PARTIAL,
    pb.DECLARATION_MODE_ALL_OR_NOTHING: roster_pb.ROSTER_MODE_ALL_OR_NOTHING,
}
_SEXES: dict[model.Sex.ValueType, Sex] = {model.SEX_MALE: "male", model.SEX_FEMALE: "female"}


class _HasFields(Protocol):
    def HasField(self, field_name: Any) -> bool: ...


def change_person(request: pb.ChangePersonRequest) -> ChangePerson:
    """Read ChangePerson; the number is checked against the record.

    Raises:
        InvalidInput: VALUE_REQUIRED, EVIDENCE_REQUIRED, NAME_INVALID, PHONE_INVALID, DIVISION_INVALID.
    """
    cause = _CAUSES.get(request.kind)
    if cause is None:
        raise InvalidInput("VALUE_REQUIRED", "it is a change or a correction", field="kind")
    values: dict[str, str | date] = {}
    if request.name:
        values["name"] = requests.person_name(request.name)
    if request.id_no:
        values["id_no"] = request.id_no
    if request.sex in _SEXES:
        values["sex"] = _SEXES[request.sex]
    if (birth := _day(request, "birth_date")) is not None:
        values["birth_date"] = birth
    if request.division:
        values["division"] = check_division(request.division)
    if request.phone:
        values["phone"] = check_phone(request.phone)
    if not values:
        raise InvalidInput("VALUE_REQUIRED", "a change names what is different", field="name")
    return ChangePerson(
        requests.person_id(request.person_id),
        cause,
        _day(request, "effective_date"),
        values,
        check_evidence(request.evidence_ref),
    )


def history_days(request: pb.ListPersonHistoryRequest) -> tuple[date | None, date | None]:
    """The day of truth and the day of knowledge that are asked for."""
    return _day(request, "as_of"), _day(request, "known_at")


def record_death(request: pb.RecordDeathRequest) -> RecordDeath:
    """Read RecordDeath.

    Raises:
        InvalidInput: EVIDENCE_REQUIRED.
    """
    day = _day(request, "death_date")
    return RecordDeath(
        requests.person_id(request.person_id),
        day,
        _SOURCES.get(request.source) if day else None,
        check_evidence(request.evidence_ref),
    )


def merge(request: pb.MergePersonsRequest | pb.UnmergePersonsRequest) -> Merge:
    """Read MergePersons and UnmergePersons.

    Raises:
        InvalidInput: EVIDENCE_REQUIRED.
    """
    return Merge(
        requests.person_id(request.person_id),
        ids.parse("per", request.other_person_id, field="other_person_id"),
        check_evidence(request.evidence_ref),
    )


def request_id(text: str) -> UUID:
    """Read the id of a request."""
    return ids.parse("prq", text, field="person_request_id")


def change_employer(request: pb.ChangeEmployerRequest) -> ChangeEmployer:
    """Read ChangeEmployer.

    Raises:
        InvalidInput: MONTH_REQUIRED, NAME_INVALID, DIVISION_INVALID, INJURY_CLASS_INVALID, INJURY_STEP_INVALID,
            EVIDENCE_REQUIRED.
    """
    return ChangeEmployer(
        employer_id=ids.parse("emp", request.employer_id, field="employer_id"),
        start_month=_month(request, "start_month"),
        name=requests.employer_name(request.name) if request.name else None,
        division=check_division(request.division) if request.division else None,
        injury_class=requests.injury_class(request.injury_class) if request.injury_class else None,
        injury_step=requests.injury_step(request) if request.HasField("injury_step") else None,
        evidence=check_evidence(request.evidence_ref),
    )


def import_declarations(request: pb.ImportDeclarationsRequest) -> commands.ImportRoster:
    """Read ImportDeclarations.

    Raises:
        InvalidInput: DIGEST_INVALID, VALUE_REQUIRED.
    """
    return requests.import_roster(
        roster_pb.ImportRosterRequest(
            upload_id=request.upload_id,
            digest=request.digest,
            employer_id=request.employer_id,
            mode=_MODES[request.mode],
        )
    )


# -- replies


def asked(request: Request) -> pb.ChangePersonResponse:
    """Answer ChangePerson."""
    return pb.ChangePersonResponse(request=_request(request))


def decided(request: Request) -> pb.DecidePersonRequestResponse:
    """Answer DecidePersonRequest."""
    return pb.DecidePersonRequestResponse(request=_request(request))


def waiting(page: tuple[Sequence[Request], str]) -> pb.ListPersonRequestsResponse:
    """Answer ListPersonRequests."""
    return pb.ListPersonRequestsResponse(requests=[_request(one) for one in page[0]], next_page_token=page[1])


def history(found: tuple[UUID, Sequence[Version]]) -> pb.ListPersonHistoryResponse:
    """Answer ListPersonHistory."""
    return pb.ListPersonHistoryResponse(versions=[_version(one) for one in found[1]])


def death_recorded(result: tuple[Request, Sequence[Month]]) -> pb.RecordDeathResponse:
    """Answer RecordDeath."""
    return pb.RecordDeathResponse(request=_request(result[0]), billed_after=[to_month(one) for one in result[1]])


def death(result: tuple[Death, bool, Money]) -> pb.GetDeathResponse:
    """Answer GetDeath."""
    known, is_pending, balance = result
    return pb.GetDeathResponse(
        death_date=to_date(known.day),
        source=_SAID_SOURCES[known.source],
        evidence_ref=known.evidence,
        inheritance_pending=is_pending,
        balance=to_money(balance),
    )


def search_started(job: Job) -> pb.FindDuplicatesResponse:
    """Answer FindDuplicates."""
    return pb.FindDuplicatesResponse(job=to_job(job))


def duplicates(page: tuple[Sequence[tuple[Person, Person, DuplicateReason]], str]) -> pb.ListDuplicatesResponse:
    """Answer ListDuplicates."""
    return pb.ListDuplicatesResponse(
        duplicates=[
            pb.Duplicate(one=replies.masked(one), other=replies.masked(other), reason=_REASONS[reason])
            for one, other, reason in page[0]
        ],
        next_page_token=page[1],
    )


def dismissed(_: None) -> pb.DismissDuplicateResponse:
    """Answer DismissDuplicate."""
    return pb.DismissDuplicateResponse()


def merge_asked(request: Request) -> pb.MergePersonsResponse:
    """Answer MergePersons."""
    return pb.MergePersonsResponse(request=_request(request))


def unmerge_asked(request: Request) -> pb.UnmergePersonsResponse:
    """Answer UnmergePersons."""
    return pb.UnmergePersonsResponse(request=_request(request))


def employer_changed(employer: Employer) -> pb.ChangeEmployerResponse:
    """Answer ChangeEmployer."""
    return pb.ChangeEmployerResponse(employer=replies.shown_employer(employer))


def employer_history(versions: Sequence[EmployerVersion]) -> pb.ListEmployerHistoryResponse:
    """Answer ListEmployerHistory."""
    return pb.ListEmployerHistoryResponse(
        versions=[
            pb.EmployerVersion(
                start_month=to_month(one.start_month) if one.start_month else None,
                name=one.name,
                division=one.division,
                injury_class=one.injury_class,
                injury_step=to_rate(one.injury_step),
                evidence_ref=one.evidence,
            )
            for one in versions
        ]
    )


def deregistered(day: date) -> pb.DeregisterEmployerResponse:
    """Answer DeregisterEmployer."""
    return pb.DeregisterEmployerResponse(deregister_date=to_date(day))


def employers(page: tuple[Sequence[tuple[Employer, date | None]], str]) -> pb.ListEmployersResponse:
    """Answer ListEmployers."""
    return pb.ListEmployersResponse(employers=[_listed(*one) for one in page[0]], next_page_token=page[1])


def employer_found(found: tuple[Employer, date | None]) -> pb.FindEmployerResponse:
    """Answer FindEmployer."""
    return pb.FindEmployerResponse(employer=_listed(*found))


def declarations_started(job: Job) -> pb.ImportDeclarationsResponse:
    """Answer ImportDeclarations."""
    return pb.ImportDeclarationsResponse(job=to_job(job))


def _listed(employer: Employer, day: date | None) -> pb.ListedEmployer:
    return pb.ListedEmployer(employer=replies.shown_employer(employer), deregister_date=to_date(day) if day else None)


def _request(one: Request) -> pb.PersonReview:
    return pb.PersonReview(
        person_request_id=ids.to_text("prq", one.request_id),
        person_id=ids.to_text("per", one.person_id),
        kind=_KINDS[one.kind],
        state=_STATES[one.state],
        other_person_id=ids.to_text("per", one.other_id) if one.other_id else "",
        evidence_ref=one.evidence,
        created=_instant(one.created),
    )


def _version(one: Version) -> pb.PersonVersion:
    segment, facts = one.segment, one.segment.facts
    return pb.PersonVersion(
        valid_from=None if segment.valid_from == BEGINNING else to_date(segment.valid_from),
        valid_to=to_date(segment.valid_to) if segment.valid_to else None,
        recorded=_instant(one.recorded),
        superseded=_instant(one.superseded) if one.superseded else "",
        cause=_SAID_CAUSES[one.cause],
        name_masked=mask_name(facts.name),
        id_no_masked=mask_id_no(facts.id_no),
        document=_DOCUMENTS[document_kind(facts.id_no)],
        birth_date=to_date(facts.birth_date),
        sex=SEXES[facts.sex],
        division=facts.division,
        has_phone=bool(facts.phone),
        evidence_ref=one.evidence,
    )


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _month(request: _HasFields, field: str) -> Month:
    if not request.HasField(field):
        raise InvalidInput("MONTH_REQUIRED", "a month is required", field=field)
    return month_of(getattr(request, field), field)


def _day(request: _HasFields, field: str) -> date | None:
    return date_of(getattr(request, field), field) if request.HasField(field) else None
