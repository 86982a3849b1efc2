"""Answers to callers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import to_date, to_money, to_statement
from hrss.training.v1 import training_pb2 as model
from hrss.training.v1 import training_service_pb2 as pb
from kernel import ids
from services.training.messages.states import CLAIM_STATES, ISSUER_TYPES, ORDER_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.training.operations.checking import Checked
    from services.training.operations.claims import Claims, Shown
    from services.training.operations.payments import OrdersToPay
    from services.training.store.rows import CertificateRow, OrderRow

NOTICE_ZH = "本核验按目前已知的信息推算，不是核定结果；以复核通过为准。"
NOTICE_EN = "A check of what is known today; not a decision. The approved claim counts."


def certificate_recorded(row: CertificateRow) -> pb.RecordCertificateResponse:
    """A recorded certificate."""
    return pb.RecordCertificateResponse(certificate=_certificate(row))


def certificates(rows: Sequence[CertificateRow]) -> pb.ListCertificatesResponse:
    """The certificates of a person."""
    return pb.ListCertificatesResponse(certificates=[_certificate(row) for row in rows])


def checked(found: Checked) -> pb.CheckClaimResponse:
    """A check, which says that it is one."""
    reply = pb.CheckClaimResponse(
        assessment=model.Assessment(
            eligible=found.assessment.eligible,
            failures=[
                model.FailedCondition(
                    code=one.reason, text_zh=one.text_zh, text_en=one.text_en, sources=list(one.source)
                )
                for one in found.assessment.failures
            ],
            insured_months=found.facts.insured_months,
            urgent=found.facts.is_urgent,
        ),
        notice_zh=NOTICE_ZH,
        notice_en=NOTICE_EN,
    )
    if found.calculation is not None:
        reply.statement.CopyFrom(to_statement(found.calculation.statement, found.calculation.policy_version))
    return reply


def submitted(shown: Shown) -> pb.SubmitClaimResponse:
    """A submitted claim."""
    return pb.SubmitClaimResponse(claim=_claim(shown))


def claim(shown: Shown) -> pb.GetClaimResponse:
    """A claim."""
    return pb.GetClaimResponse(claim=_claim(shown))


def claims_of_person(shown: Sequence[Shown]) -> pb.ListPersonClaimsResponse:
    """The claims of a person."""
    return pb.ListPersonClaimsResponse(claims=[_claim(one) for one in shown])


def claims(page: Claims) -> pb.ListClaimsResponse:
    """A page of claims."""
    return pb.ListClaimsResponse(claims=[_claim(one) for one in page.claims], next_page_token=page.next_page_token)


def prepared(shown: Shown) -> pb.PrepareClaimResponse:
    """A prepared claim."""
    return pb.PrepareClaimResponse(claim=_claim(shown))


def approved(shown: Shown) -> pb.ApproveClaimResponse:
    """An approved claim with its payment order."""
    return pb.ApproveClaimResponse(claim=_claim(shown))


def rejected(shown: Shown) -> pb.RejectClaimResponse:
    """A rejected claim."""
    return pb.RejectClaimResponse(claim=_claim(shown))


def orders(page: OrdersToPay) -> pb.ListSubsidyOrdersResponse:
    """A page of payment orders for the bank, names and accounts in clear."""
    return pb.ListSubsidyOrdersResponse(
        orders=[
            pb.SubsidyOrderToPay(
                order_id=ids.to_text("ord", one.order.order_id),
                amount=to_money(one.order.amount),
                payee=pb.SubsidyPayee(name=one.payee.name, account=one.payee.account),
            )
            for one in page.orders
        ],
        next_page_token=page.next_page_token,
    )


def result_recorded(row: OrderRow) -> pb.RecordSubsidyResultResponse:
    """A payment order after the bank's answer."""
    return pb.RecordSubsidyResultResponse(order=_order(row))


def _certificate(row: CertificateRow) -> model.Certificate:
    return model.Certificate(
        certificate_id=ids.to_text("crt", row.certificate_id),
        person_id=ids.to_text("per", row.person_id),
        issuer_type=ISSUER_TYPES[row.issuer_type],
        number_masked=f"**** {row.number_tail}",
        occupation=row.occupation,
        level=row.level,
        issue_date=to_date(row.issue_date),
        subsidised_elsewhere=row.subsidised_elsewhere,
    )


def _claim(shown: Shown) -> model.Claim:
    row = shown.claim
    message = model.Claim(
        claim_id=ids.to_text("clm", row.claim_id),
        person_id=ids.to_text("per", row.person_id),
        certificate=_certificate(shown.certificate),
        state=CLAIM_STATES[row.state],
        apply_date=to_date(row.apply_date),
        assessment=model.Assessment(
            eligible=not row.failures,
            failures=[
                model.FailedCondition(
                    code=one["reason"], text_zh=one["text_zh"], text_en=one["text_en"], sources=one["source"]
                )
                for one in row.failures
            ],
            insured_months=row.insured_months,
            urgent=row.urgent,
        ),
        statement_digest=row.digest.hex() if row.digest else "",
        payee_account_masked=f"**** {shown.account_tail}",
        rejection_reason=row.rejection_reason,
    )
    if shown.calculation is not None:
        message.statement.CopyFrom(to_statement(shown.calculation.statement, shown.calculation.policy_version))
    if shown.order is not None:
        message.order.CopyFrom(_order(shown.order))
    return message


def _order(row: OrderRow) -> model.SubsidyOrder:
    return model.SubsidyOrder(
        order_id=ids.to_text("ord", row.order_id),
        amount=to_money(row.amount),
        state=ORDER_STATES[row.state],
        bank_reference=row.bank_reference,
        simulated=row.simulated,
    )
