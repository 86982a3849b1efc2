"""MovingService: histories, transfers, certificates and account statements."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from chassis.rpc import Call, Servicer
from chassis.values import date_of, money_of, month_of, to_date, to_job, to_money, to_month, to_statement
from hrss.enrollment.v1 import moving_service_pb2 as pb
from hrss.type.v1 import money_pb2
from kernel import ids
from kernel.errors import InvalidInput
from kernel.money import Money
from services.enrollment import moving
from services.enrollment.messages import bridging, requests
from services.enrollment.messages import moving as messages
from services.enrollment.operations import (
    moving_account,
    moving_bridge,
    moving_certificate,
    moving_import,
    moving_parity,
    moving_transfer,
)
from services.enrollment.operations.moving_account import ExplainedYear
from services.enrollment.operations.moving_certificate import Certificate, Kind, Wish
from services.enrollment.operations.moving_parity import Report
from services.enrollment.operations.office import Office

_KINDS = {
    pb.INSURANCE_CERTIFICATE_KIND_INSURANCE: Kind.INSURANCE,
    pb.INSURANCE_CERTIFICATE_KIND_CONTRIBUTIONS: Kind.CONTRIBUTIONS,
}
_KIND_NUMBERS = {kind: number for number, kind in _KINDS.items()}
_FORMS = {pb.REPORT_FORMAT_CSV: moving_parity.CSV, pb.REPORT_FORMAT_JSON: moving_parity.JSON}


class MovingRpc(Servicer):
    """MovingService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["MovingService"]

    def __init__(self, office: Office) -> None:
        self.office = office

    async def BridgePension(self, request: pb.BridgePensionRequest, call: Call) -> pb.BridgePensionResponse:
        """Move an account between the pensions of residents and employees."""
        person_id, direction = requests.person_id(request.person_id), bridging.direction(request)
        return await call.once(lambda tx: moving_bridge.bridge(tx, person_id, direction, self.office), bridging.moved)

    async def GetPensionBridge(self, request: pb.GetPensionBridgeRequest, call: Call) -> pb.GetPensionBridgeResponse:
        """Show how an account moved between them."""
        person_id = requests.person_id(request.person_id)
        return await call.read(lambda tx: moving_bridge.show(tx, person_id), bridging.shown)

    async def BringInHistory(self, request: pb.BringInHistoryRequest, call: Call) -> pb.BringInHistoryResponse:
        """Start a delivery."""
        command = messages.bring_in(request)
        return await call.once(lambda tx: moving_import.bring_in(tx, command), messages.bringing_in)

    async def GetHistoryDelivery(
        self, request: pb.GetHistoryDeliveryRequest, call: Call
    ) -> pb.GetHistoryDeliveryResponse:
        """Show a delivery."""
        job_id = ids.parse("job", request.job_id, field="job_id")
        return await call.read(
            lambda tx: moving_import.delivery(tx, job_id),
            lambda found: messages.delivery(found[0], found[1].state, found[1].counted, found[1].differences),
        )

    async def CompareHistory(self, request: pb.CompareHistoryRequest, call: Call) -> pb.CompareHistoryResponse:
        """Start a comparison."""
        job_id = ids.parse("job", request.job_id, field="job_id")
        return await call.once(
            lambda tx: moving_parity.compare(tx, job_id, request.seed, request.size),
            lambda job: pb.CompareHistoryResponse(job=to_job(job)),
        )

    async def GetParityReport(self, request: pb.GetParityReportRequest, call: Call) -> pb.GetParityReportResponse:
        """Hand out a report."""
        job_id = ids.parse("job", request.job_id, field="job_id")
        form = _FORMS.get(request.format)
        if form is None:
            raise InvalidInput("REPORT_FORMAT_INVALID", "a report is CSV or JSON", field="format")
        return await call.read(lambda tx: moving_parity.report(tx, job_id, form), _report)

    async def IssueInsuranceCertificate(
        self, request: pb.IssueInsuranceCertificateRequest, call: Call
    ) -> pb.IssueInsuranceCertificateResponse:
        """Issue a certificate's facts."""
        kind = _KINDS.get(request.kind)
        if kind is None:
            raise InvalidInput("CERTIFICATE_KIND_REQUIRED", "a certificate has a kind", field="kind")
        wish = Wish(
            requests.person_id(request.person_id),
            kind,
            month_of(request.first_month, "first_month") if request.HasField("first_month") else None,
            month_of(request.last_month, "last_month") if request.HasField("last_month") else None,
            date_of(request.as_of, "as_of") if request.HasField("as_of") else None,
        )
        return await call.once(
            lambda tx: moving_certificate.issue(tx, wish),
            lambda one: pb.IssueInsuranceCertificateResponse(certificate=_certificate(one)),
        )

    async def GetInsuranceCertificate(
        self, request: pb.GetInsuranceCertificateRequest, call: Call
    ) -> pb.GetInsuranceCertificateResponse:
        """Show a certificate's facts again; by its own number, so the audit row of staff is asked for here."""
        reply = await call.read(
            lambda tx: moving_certificate.certificate(tx, request.number),
            lambda one: pb.GetInsuranceCertificateResponse(
                certificate=_certificate(one), person_id=ids.to_text("per", one.person_id)
            ),
        )
        call.audit_person(requests.person_id(reply.person_id))
        return reply

    async def ApplyForTransfer(self, request: pb.ApplyForTransferRequest, call: Call) -> pb.ApplyForTransferResponse:
        """Apply for a transfer."""
        person_id, to = requests.person_id(request.person_id), messages.direction(request.direction)
        return await call.once(
            lambda tx: moving_transfer.apply(tx, person_id, to, other_area=request.other_area, office=self.office),
            lambda one: pb.ApplyForTransferResponse(transfer=messages.transfer(one)),
        )

    async def SendContactLetter(self, request: pb.SendContactLetterRequest, call: Call) -> pb.SendContactLetterResponse:
        """Send our contact letter."""
        key = _transfer_id(request.transfer_id)
        return await call.once(
            lambda tx: moving_transfer.letter(tx, key),
            lambda one: pb.SendContactLetterResponse(transfer=messages.transfer(one)),
        )

    async def ReceiveContactLetter(
        self, request: pb.ReceiveContactLetterRequest, call: Call
    ) -> pb.ReceiveContactLetterResponse:
        """Take the contact letter of the new area."""
        key, number = _transfer_id(request.transfer_id), moving.check_document_no(request.letter_no, "letter_no")
        return await call.once(
            lambda tx: moving_transfer.letter(tx, key, number),
            lambda one: pb.ReceiveContactLetterResponse(transfer=messages.transfer(one)),
        )

    async def ReceiveInformationForm(
        self, request: pb.ReceiveInformationFormRequest, call: Call
    ) -> pb.ReceiveInformationFormResponse:
        """Take the information form of the old area."""
        key = _transfer_id(request.transfer_id)
        number, years, account, pooled = messages.form(request)
        take = partial(
            moving_transfer.receive_form,
            transfer_id=key,
            form_no=number,
            years=years,
            account=account,
            pooled=pooled,
            office=self.office,
        )
        return await call.once(take, lambda one: pb.ReceiveInformationFormResponse(transfer=messages.transfer(one)))

    async def IssueInformationForm(
        self, request: pb.IssueInformationFormRequest, call: Call
    ) -> pb.IssueInformationFormResponse:
        """Issue our information form."""
        key = _transfer_id(request.transfer_id)
        return await call.once(
            lambda tx: moving_transfer.issue_form(tx, key, self.office),
            lambda one: pb.IssueInformationFormResponse(transfer=messages.transfer(one)),
        )

    async def ReceiveFunds(self, request: pb.ReceiveFundsRequest, call: Call) -> pb.ReceiveFundsResponse:
        """Record the funds of the old area."""
        key, number = _transfer_id(request.transfer_id), moving.check_document_no(request.funds_no, "funds_no")
        amount = money_of(request.amount, "amount")
        return await call.once(
            lambda tx: moving_transfer.receive_funds(tx, key, number, amount),
            lambda one: pb.ReceiveFundsResponse(transfer=messages.transfer(one)),
        )

    async def SendFunds(self, request: pb.SendFundsRequest, call: Call) -> pb.SendFundsResponse:
        """Pay our funds."""
        key = _transfer_id(request.transfer_id)
        return await call.once(
            lambda tx: moving_transfer.send_funds(tx, key),
            lambda one: pb.SendFundsResponse(transfer=messages.transfer(one)),
        )

    async def ConfirmTransfer(self, request: pb.ConfirmTransferRequest, call: Call) -> pb.ConfirmTransferResponse:
        """Take the confirmation of the new area."""
        key = _transfer_id(request.transfer_id)
        return await call.once(
            lambda tx: moving_transfer.confirm(tx, key),
            lambda one: pb.ConfirmTransferResponse(transfer=messages.transfer(one)),
        )

    async def RefuseTransfer(self, request: pb.RefuseTransferRequest, call: Call) -> pb.RefuseTransferResponse:
        """End a transfer with its reason."""
        key = _transfer_id(request.transfer_id)
        return await call.once(
            lambda tx: moving_transfer.refuse(tx, key, request.reason),
            lambda one: pb.RefuseTransferResponse(transfer=messages.transfer(one)),
        )

    async def GetTransfer(self, request: pb.GetTransferRequest, call: Call) -> pb.GetTransferResponse:
        """Show a transfer; by its own id, so the audit row of staff is asked for here."""
        key = _transfer_id(request.transfer_id)
        reply = await call.read(
            lambda tx: moving_transfer.transfer(tx, key),
            lambda one: pb.GetTransferResponse(transfer=messages.transfer(one)),
        )
        call.audit_person(requests.person_id(reply.transfer.person_id))
        return reply

    async def ListTransfers(self, request: pb.ListTransfersRequest, call: Call) -> pb.ListTransfersResponse:
        """List the transfers of a person."""
        person_id = requests.person_id(request.person_id)
        return await call.read(
            lambda tx: moving_transfer.of_person(tx, person_id),
            lambda found: pb.ListTransfersResponse(transfers=[messages.transfer(one) for one in found]),
        )

    async def ListOpenTransfers(self, request: pb.ListOpenTransfersRequest, call: Call) -> pb.ListOpenTransfersResponse:
        """List the transfers that wait."""
        return await call.read(
            lambda tx: moving_transfer.open_ones(tx, request.page_size),
            lambda found: pb.ListOpenTransfersResponse(transfers=[messages.transfer(one) for one in found]),
        )

    async def ExplainAccount(self, request: pb.ExplainAccountRequest, call: Call) -> pb.ExplainAccountResponse:
        """Explain an account."""
        person_id = requests.person_id(request.person_id)
        return await call.read(lambda tx: moving_account.explain(tx, person_id, request.year, self.office), _explained)


def _transfer_id(text: str) -> UUID:
    return ids.parse("trf", text, field="transfer_id")


def _report(one: Report) -> pb.GetParityReportResponse:
    return pb.GetParityReportResponse(
        job=to_job(one.job),
        report=one.text,
        digest=one.digest,
        person_count=one.persons,
        difference_count=one.differences,
    )


def _certificate(one: Certificate) -> pb.InsuranceCertificate:
    return pb.InsuranceCertificate(
        number=one.number,
        kind=_KIND_NUMBERS[one.kind],
        facts=one.facts,
        digest=one.digest,
        as_of=to_date(one.as_of),
    )


def _explained(found: tuple[Money, Sequence[ExplainedYear]]) -> pb.ExplainAccountResponse:
    balance, years = found
    return pb.ExplainAccountResponse(
        balance=to_money(balance),
        years=[
            pb.AccountStatementYear(
                year=one.year,
                closed=one.closed,
                statement=to_statement(one.statement, one.policy_version),
                rate=money_pb2.Rate(decimal=one.rate) if one.rate else None,
                provisional=one.provisional,
                expected_interest=to_money(one.expected_interest),
                entries=[
                    pb.AccountEntry(
                        booked_month=to_month(entry.booked),
                        title_zh=title[0],
                        title_en=title[1],
                        amount=to_money(entry.amount),
                        source=entry.source,
                        for_month=to_month(entry.for_month) if entry.for_month else None,
                    )
                    for entry, title in one.entries
                ],
            )
            for one in years
        ],
    )
