"""TR01 职工技能提升补贴申领: claimed on the day it was handed in, prepared by one person, approved by another."""

from __future__ import annotations

from typing import Any

from hrss.training.v1 import training_service_pb2 as training
from services.gateway.cases.effects.model import APPLICANTS, Item, Outcome, Phase, Step, Work, nothing, rpc

SERVICE = training.DESCRIPTOR.services_by_name["TrainingService"]
CLAIM = "claim_id"


def _submit(work: Work) -> training.SubmitClaimRequest:
    form = work.form.subsidy
    return training.SubmitClaimRequest(
        person_id=work.person_id,
        issuer_type=form.issuer_type,
        number=form.certificate_number,
        payee=training.SubsidyPayee(name=form.payee.name, account=form.payee.account),
    )


def _submitted(_work: Work, reply: training.SubmitClaimResponse) -> Outcome:
    return Outcome(result_id=reply.claim.claim_id, keep={CLAIM: reply.claim.claim_id})


def _prepare(work: Work) -> training.PrepareClaimRequest:
    return training.PrepareClaimRequest(claim_id=work.results["submit"][CLAIM])


def _prepared(_work: Work, reply: training.PrepareClaimResponse) -> Outcome:
    claim = reply.claim
    return Outcome(
        result_id=claim.claim_id, statement=claim.statement.SerializeToString(), digest=claim.statement_digest
    )


def _approve(work: Work) -> training.ApproveClaimRequest:
    return training.ApproveClaimRequest(claim_id=work.results["submit"][CLAIM], statement_digest=work.digest)


def _decided(_work: Work, reply: Any) -> Outcome:
    return Outcome(result_id=reply.claim.claim_id)


def _reject(work: Work) -> training.RejectClaimRequest | None:
    claim = work.results.get("submit", {}).get(CLAIM)
    return None if claim is None else training.RejectClaimRequest(claim_id=claim, reason=work.reason[:200])


TR01 = Item(
    code="TR01",
    form="subsidy",
    roles=APPLICANTS,
    required=("issuer_type", "certificate_number", "payee.name", "payee.account"),
    is_instant=False,
    for_family=True,
    steps=(
        Step("submit", Phase.SUBMIT, rpc(SERVICE, "SubmitClaim"), _submit, _submitted),
        Step("prepare", Phase.ACCEPT, rpc(SERVICE, "PrepareClaim"), _prepare, _prepared),
        Step("approve", Phase.APPROVE, rpc(SERVICE, "ApproveClaim"), _approve, _decided),
        Step(
            "reject",
            Phase.REJECT,
            rpc(SERVICE, "RejectClaim"),
            _reject,
            nothing,
            done_on=frozenset({"CLAIM_CLOSED"}),
        ),
    ),
)
