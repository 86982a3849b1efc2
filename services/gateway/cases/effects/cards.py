"""CA06 电子社保卡申领(一级) and CA03 社会保障卡挂失与解挂: the electronic card of the person themself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrss.card.v1 import card_pb2
from hrss.card.v1 import card_service_pb2 as card
from kernel.errors import NotFound
from services.gateway.cases.effects.model import APPLICANTS, Item, Outcome, Phase, Step, Work, rpc

if TYPE_CHECKING:
    from hrss.gateway.v1 import cases_service_pb2 as pb

SERVICE = card.DESCRIPTOR.services_by_name["CardService"]
CARD = "card_id"
_LEVEL_TO_USE = 3  # as the card service asks for activation and for lifting a loss


def _list(work: Work) -> card.ListCardsRequest:
    return card.ListCardsRequest(person_id=work.person_id)


def _waiting(work: Work, reply: card.ListCardsResponse) -> Outcome:
    """The card that is named, or the only one that waits for its holder."""
    named = work.form.card.card_id
    fitting = [
        one.card_id
        for one in reply.cards
        if (one.card_id == named if named else one.state == card_pb2.CARD_STATE_ISSUED)
    ]
    return _one(fitting)


def _owned(work: Work, reply: card.ListCardsResponse) -> Outcome:
    """A clerk may report the loss of any card, so the case itself sees to it that it is this person's."""
    return _one([one.card_id for one in reply.cards if one.card_id == work.form.card_loss.card_id])


def _one(fitting: list[str]) -> Outcome:
    if len(fitting) != 1:
        raise NotFound("CARD_NOT_FOUND", "no card, or more than one, of this person fits")
    return Outcome(keep={CARD: fitting[0]})


def _activate(work: Work) -> card.ActivateCardRequest:
    form = work.form.card
    return card.ActivateCardRequest(card_id=work.results["find"][CARD], consent=form.consent, pin=form.pin)


def _report(work: Work) -> card.ReportLossRequest | None:
    return None if work.form.card_loss.lift else card.ReportLossRequest(card_id=work.results["find"][CARD])


def _lift(work: Work) -> card.LiftLossRequest | None:
    return card.LiftLossRequest(card_id=work.results["find"][CARD]) if work.form.card_loss.lift else None


def _changed(_work: Work, reply: Any) -> Outcome:
    return Outcome(result_id=reply.card.card_id)


def _level_of_loss(form: pb.CaseForm) -> int:
    """Reporting a loss is easy on purpose; lifting it is not."""
    return _LEVEL_TO_USE if form.card_loss.lift else 2


CA06 = Item(
    code="CA06",
    form="card",
    roles=frozenset({"CITIZEN"}),
    required=("consent", "pin"),
    is_instant=True,
    acr=lambda _form: _LEVEL_TO_USE,
    steps=(
        Step("find", Phase.ACCEPT, rpc(SERVICE, "ListCards"), _list, _waiting),
        Step("activate", Phase.ACCEPT, rpc(SERVICE, "ActivateCard"), _activate, _changed),
    ),
)
CA03 = Item(
    code="CA03",
    form="card_loss",
    roles=APPLICANTS,
    required=("card_id",),
    is_instant=True,
    acr=_level_of_loss,
    steps=(
        Step("find", Phase.ACCEPT, rpc(SERVICE, "ListCards"), _list, _owned),
        Step("report", Phase.ACCEPT, rpc(SERVICE, "ReportLoss"), _report, _changed),
        Step("lift", Phase.ACCEPT, rpc(SERVICE, "LiftLoss"), _lift, _changed),
    ),
)
