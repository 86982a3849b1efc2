"""PersonsService: persons and employers through time, deaths, mergers, declarations by file."""

from functools import partial

from chassis.rpc import Call, Servicer
from hrss.enrollment.v1 import persons_service_pb2 as pb
from kernel import ids
from services.enrollment.declarations_file import DeclarationsFile
from services.enrollment.messages import persons as messages
from services.enrollment.messages import requests
from services.enrollment.operations import (
    persons_death,
    persons_declarations,
    persons_duplicates,
    persons_employers,
    persons_history,
    persons_requests,
)
from services.enrollment.operations.archive import Archive
from services.enrollment.operations.office import Office
from services.enrollment.persons import check_evidence


class PersonsRpc(Servicer):
    """PersonsService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["PersonsService"]

    def __init__(self, office: Office, declarations: Archive[DeclarationsFile]) -> None:
        self.office = office
        self.declarations = declarations

    async def ChangePerson(self, request: pb.ChangePersonRequest, call: Call) -> pb.ChangePersonResponse:
        """Change or correct a record."""
        command = messages.change_person(request)
        return await call.once(lambda tx: persons_requests.change_person(tx, command, self.office), messages.asked)

    async def DecidePersonRequest(
        self, request: pb.DecidePersonRequestRequest, call: Call
    ) -> pb.DecidePersonRequestResponse:
        """Approve or reject what waits."""
        decide = partial(
            persons_requests.decide,
            request_id=messages.request_id(request.person_request_id),
            approve=request.approve,
            reason=request.reason,
            office=self.office,
        )
        return await call.once(decide, messages.decided)

    async def ListPersonRequests(
        self, request: pb.ListPersonRequestsRequest, call: Call
    ) -> pb.ListPersonRequestsResponse:
        """List what waits."""
        page = partial(persons_requests.list_waiting, size=request.page_size, token=request.page_token)
        return await call.read(page, messages.waiting)

    async def ListPersonHistory(self, request: pb.ListPersonHistoryRequest, call: Call) -> pb.ListPersonHistoryResponse:
        """Show a record through time."""
        person_id = requests.person_id(request.person_id)
        as_of, known_at = messages.history_days(request)
        return await call.read(
            lambda tx: persons_history.history(tx, person_id, as_of=as_of, known_at=known_at), messages.history
        )

    async def RecordDeath(self, request: pb.RecordDeathRequest, call: Call) -> pb.RecordDeathResponse:
        """Record a death."""
        command = messages.record_death(request)
        return await call.once(lambda tx: persons_requests.record_death(tx, command), messages.death_recorded)

    async def GetDeath(self, request: pb.GetDeathRequest, call: Call) -> pb.GetDeathResponse:
        """Show a death."""
        person_id = requests.person_id(request.person_id)
        return await call.read(lambda tx: persons_death.death(tx, person_id), messages.death)

    async def FindDuplicates(self, request: pb.FindDuplicatesRequest, call: Call) -> pb.FindDuplicatesResponse:  # noqa: ARG002 - the signature of every method
        """Look for double records as a job."""
        return await call.once(persons_duplicates.find, messages.search_started)

    async def ListDuplicates(self, request: pb.ListDuplicatesRequest, call: Call) -> pb.ListDuplicatesResponse:
        """List double records."""
        page = partial(persons_duplicates.list_open, size=request.page_size, token=request.page_token)
        return await call.read(page, messages.duplicates)

    async def DismissDuplicate(self, request: pb.DismissDuplicateRequest, call: Call) -> pb.DismissDuplicateResponse:
        """Note that two records are two persons."""
        one = requests.person_id(request.person_id)
        other = ids.parse("per", request.other_person_id, field="other_person_id")
        evidence = check_evidence(request.evidence_ref)
        return await call.once(lambda tx: persons_duplicates.dismiss(tx, one, other, evidence), messages.dismissed)

    async def MergePersons(self, request: pb.MergePersonsRequest, call: Call) -> pb.MergePersonsResponse:
        """Ask to merge two records."""
        command = messages.merge(request)
        return await call.once(lambda tx: persons_requests.merge(tx, command), messages.merge_asked)

    async def UnmergePersons(self, request: pb.UnmergePersonsRequest, call: Call) -> pb.UnmergePersonsResponse:
        """Ask to take a merger back."""
        command = messages.merge(request)
        return await call.once(lambda tx: persons_requests.unmerge(tx, command), messages.unmerge_asked)

    async def ChangeEmployer(self, request: pb.ChangeEmployerRequest, call: Call) -> pb.ChangeEmployerResponse:
        """Change an employer from a month on."""
        command = messages.change_employer(request)
        return await call.once(
            lambda tx: persons_employers.change_employer(tx, command, self.office), messages.employer_changed
        )

    async def ListEmployerHistory(
        self, request: pb.ListEmployerHistoryRequest, call: Call
    ) -> pb.ListEmployerHistoryResponse:
        """Show an employer through time."""
        employer_id = ids.parse("emp", request.employer_id, field="employer_id")
        return await call.read(lambda tx: persons_employers.history(tx, employer_id), messages.employer_history)

    async def DeregisterEmployer(
        self, request: pb.DeregisterEmployerRequest, call: Call
    ) -> pb.DeregisterEmployerResponse:
        """Deregister an employer."""
        employer_id = ids.parse("emp", request.employer_id, field="employer_id")
        evidence = check_evidence(request.evidence_ref)
        return await call.once(
            lambda tx: persons_employers.deregister_employer(tx, employer_id, evidence), messages.deregistered
        )

    async def ListEmployers(self, request: pb.ListEmployersRequest, call: Call) -> pb.ListEmployersResponse:
        """List employers."""
        page = partial(
            persons_employers.list_employers,
            division=request.division,
            with_deregistered=request.with_deregistered,
            size=request.page_size,
            token=request.page_token,
        )
        return await call.read(page, messages.employers)

    async def FindEmployer(self, request: pb.FindEmployerRequest, call: Call) -> pb.FindEmployerResponse:
        """Find an employer."""
        code = requests.credit_code(request.credit_code)
        return await call.read(lambda tx: persons_employers.find_employer(tx, code), messages.employer_found)

    async def ImportDeclarations(
        self, request: pb.ImportDeclarationsRequest, call: Call
    ) -> pb.ImportDeclarationsResponse:
        """Declare wages by file as a job."""
        command = messages.import_declarations(request)
        return await call.once(
            lambda tx: persons_declarations.import_declarations(tx, command, self.declarations),
            messages.declarations_started,
        )
