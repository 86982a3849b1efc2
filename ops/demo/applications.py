"""What people of the story apply for, and how it is decided: the one place that knows by which way.

Each application is handed in by the one whom it is about, prepared by a first person and decided by a second one, who
sees what was prepared. The acts of the story know only `Prepared` and `Decided`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.simulators.skills import ISSUER_TYPE

if TYPE_CHECKING:
    from datetime import date

    from kernel.calendar import Month
    from ops.client import Gateway, Json
    from ops.demo.people import Employee
    from ops.demo.stage import Stage


@dataclass(frozen=True)
class Prepared:
    """An application that a first person prepared: what the second one sees."""

    path: str
    statement: Json
    digest: str
    details: Json  # what the item says beside its statement


@dataclass(frozen=True)
class Decided:
    """An application that a second person approved."""

    result_id: str
    trace_id: str
    details: Json


async def pension(stage: Stage, who: Employee, person_id: str, month: Month) -> Prepared:
    """The employee pension: the account is settled, then the pension is calculated."""
    await stage.clerk.post(
        f"/v1/persons/{person_id}/account:settle",
        {"retirement_month": str(month)},
        key=stage.key("settle", who.id_no),
    )
    answer = await stage.clerk.post(
        "/v1/determinations:prepare-pension",
        {"person_id": person_id, "payee": _payee(who)},
        key=stage.key("prepare pension", who.id_no),
    )
    return _determination(answer)


async def unemployment(stage: Stage, who: Employee, person_id: str, registration: date) -> Prepared:
    """The unemployment benefit from the month after the registration."""
    answer = await stage.clerk.post(
        "/v1/determinations:prepare-unemployment",
        {"person_id": person_id, "registration_date": registration.isoformat(), "payee": _payee(who)},
        key=stage.key("prepare unemployment", who.id_no),
    )
    return _determination(answer)


async def subsidy(stage: Stage, who: Employee, person_id: str, number: str) -> Prepared:
    """The skills subsidy for a certificate; its holder claims it."""
    holder = await stage.citizen(who.name, who.id_no)
    claimed = await holder.post(
        "/v1/claims",
        {"person_id": person_id, "issuer_type": ISSUER_TYPE, "number": number, "payee": _payee(who)},
        key=stage.key("claim", number),
    )
    path = f"/v1/claims/{claimed['claim']['claim_id']}"
    claim = (await stage.clerk.post(f"{path}:prepare", {}, key=stage.key("prepare claim", number)))["claim"]
    return Prepared(path, claim["statement"], claim["statement_digest"], claim)


async def approve(stage: Stage, prepared: Prepared) -> Decided:
    """The second person approves exactly the statement that was prepared."""
    answer = await stage.second.call(
        "POST",
        f"{prepared.path}:approve",
        body={"statement_digest": prepared.digest},
        key=stage.key("approve", prepared.path),
    )
    if "claim" in answer.body:
        return Decided(answer.body["claim"]["claim_id"], answer.trace_id, answer.body["claim"])
    return Decided(answer.body["benefit"]["benefit_id"], answer.trace_id, answer.body["benefit"])


async def activate_card(stage: Stage, holder: Gateway, card_id: str, pin: str) -> Json:
    """The holder agrees to the use of the electronic card and sets its PIN; answers the card."""
    answer = await holder.post(
        f"/v1/cards/{card_id}:activate", {"consent": True, "pin": pin}, key=stage.key("activate", card_id)
    )
    return dict(answer["card"])


async def report_loss(stage: Stage, holder: Gateway, card_id: str, time: str) -> Json:
    """The holder reports the loss of the card; `time` tells one loss from another. Answers the card."""
    answer = await holder.post(f"/v1/cards/{card_id}:report-loss", {}, key=stage.key("report loss", card_id, time))
    return dict(answer["card"])


async def lift_loss(stage: Stage, holder: Gateway, card_id: str, time: str) -> Json:
    """The holder found the card and lifts the loss; answers the card."""
    answer = await holder.post(f"/v1/cards/{card_id}:lift-loss", {}, key=stage.key("lift loss", card_id, time))
    return dict(answer["card"])


def _determination(answer: Json) -> Prepared:
    made = answer["determination"]
    path = f"/v1/determinations/{made['determination_id']}"
    return Prepared(path, made["statement"], made["statement_digest"], made)


def _payee(who: Employee) -> Json:
    return {"name": who.name, "account": who.account_no}
