"""What people of the story apply for: cases with a number, which their holders follow to the end.

Each application is handed in by the one whom it is about, accepted by a first person of the office and decided by a
second one, who sees what was prepared. Instant items are answered by the rules. The acts of the story know only
`Prepared` and `Decided`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.demo.stage import until
from ops.simulators.skills import ISSUER_TYPE

if TYPE_CHECKING:
    from datetime import date

    from kernel.calendar import Month
    from ops.client import Gateway, Json
    from ops.demo.people import Employee
    from ops.demo.stage import Stage

# States in which a case waits for somebody or has come to its end.
RESTING = {
    f"CASE_STATE_{state}"
    for state in ("IN_REVIEW", "DELIVERED", "REJECTED", "NOT_ACCEPTED", "PARTLY_DONE", "CORRECTION_REQUESTED")
}


@dataclass(frozen=True)
class Prepared:
    """An application that a first person accepted: what the second one sees."""

    case_no: str
    holder: Gateway
    statement: Json
    digest: str


@dataclass(frozen=True)
class Decided:
    """An application that a second person approved: what it led to, and where that can be looked at."""

    case_no: str
    result_id: str
    trace_id: str


async def pension(stage: Stage, who: Employee, person_id: str, month: Month) -> Prepared:
    """The employee pension (BE01): the account is settled, then the pension is calculated."""
    form = {"pension": {"retirement_month": str(month), "payee": _payee(who)}}
    holder, case = await _apply(stage, who, person_id, "BE01", form)
    return await _accept(stage, holder, case)


async def end_of_contract(
    stage: Stage, who: Employee, enrollment: Json, last_month: Month, registration: date
) -> Prepared:
    """The bundle of a dismissal (PK05): participation ended, registered as unemployed, unemployment benefit claimed."""
    form = {
        "end_enrollment": {
            "enrollment_id": enrollment["enrollment_id"],
            "end_month": str(last_month),
            "reason": "END_REASON_DISMISSED",
        },
        "registration": {"registration_date": registration.isoformat()},
        "unemployment": {"registration_date": registration.isoformat(), "payee": _payee(who)},
    }
    holder, bundle = await _apply(stage, who, enrollment["person_id"], "PK05", form)
    await stage.clerk.post(
        f"/v1/cases/{await _part(holder, bundle, 'EN06')}:accept",
        {},
        key=stage.key("accept", bundle["case_no"], "EN06"),
    )
    benefit = await _part(holder, bundle, "BE10")
    return await _accept(stage, holder, {"case_no": benefit})


async def subsidy(stage: Stage, who: Employee, person_id: str, number: str) -> Prepared:
    """The skills subsidy (TR01) for a certificate; its holder claims it."""
    form = {"subsidy": {"issuer_type": ISSUER_TYPE, "certificate_number": number, "payee": _payee(who)}}
    holder, case = await _apply(stage, who, person_id, "TR01", form)
    return await _accept(stage, holder, case)


async def approve(stage: Stage, prepared: Prepared) -> Decided:
    """The second person approves exactly the statement that was prepared; the holder sees the case delivered."""
    await stage.second.post(
        f"/v1/cases/{prepared.case_no}:decide",
        {"outcome": "CASE_OUTCOME_APPROVED", "statement_digest": prepared.digest},
        key=stage.key("decide", prepared.case_no),
    )
    case = await _resting(prepared.holder, prepared.case_no, "CASE_STATE_DELIVERED")
    return Decided(prepared.case_no, case["result_id"], case["steps"][-1]["trace_id"])


async def activate_card(stage: Stage, who: Employee, person_id: str, card_id: str, pin: str) -> str:
    """The holder agrees to the use of the electronic card and sets its PIN (CA06); answers the number of the case."""
    form = {"card": {"card_id": card_id, "consent": True, "pin": pin}}
    return await _at_once(stage, who, person_id, "CA06", form)


async def report_loss(stage: Stage, who: Employee, person_id: str, card_id: str) -> str:
    """The holder reports the loss of the card (CA03); answers the number of the case."""
    return await _at_once(stage, who, person_id, "CA03", {"card_loss": {"card_id": card_id, "lift": False}})


async def lift_loss(stage: Stage, who: Employee, person_id: str, card_id: str) -> str:
    """The holder found the card and lifts the loss (CA03); answers the number of the case."""
    return await _at_once(stage, who, person_id, "CA03", {"card_loss": {"card_id": card_id, "lift": True}})


async def _apply(stage: Stage, who: Employee, person_id: str, code: str, form: Json) -> tuple[Gateway, Json]:
    """Hand in an application under the holder's own login."""
    holder = await stage.citizen(who.name, who.id_no)
    lift = form.get("card_loss", {}).get("lift")
    answer = await holder.post(
        "/v1/cases",
        {"code": code, "person_id": person_id, "channel": "CASE_CHANNEL_APP", "form": form, "submit": True},
        key=stage.key("case", code, who.id_no, lift),
    )
    return holder, answer["case"]


async def _at_once(stage: Stage, who: Employee, person_id: str, code: str, form: Json) -> str:
    holder, case = await _apply(stage, who, person_id, code, form)
    return str((await _resting(holder, case["case_no"], "CASE_STATE_DELIVERED"))["case_no"])


async def _accept(stage: Stage, holder: Gateway, case: Json) -> Prepared:
    """A first person accepts; the item's service prepares what the second one will see."""
    case_no = case["case_no"]
    await stage.clerk.post(f"/v1/cases/{case_no}:accept", {}, key=stage.key("accept", case_no))
    ready = await _resting(stage.second, case_no, "CASE_STATE_IN_REVIEW")
    return Prepared(case_no, holder, ready["statement"], ready["statement_digest"])


async def _part(holder: Gateway, bundle: Json, item_code: str) -> str:
    """Number of a bundle's part, as soon as its turn has come."""

    def number(case: Json) -> str:
        return next((str(part["case_no"]) for part in case["parts"] if part["item_code"] == item_code), "")

    answer = await until(
        lambda: holder.get(f"/v1/cases/{bundle['case_no']}"),
        lambda body: bool(number(body["case"])),
        f"the turn of {item_code} in {bundle['case_no']}",
    )
    return number(answer["case"])


async def _resting(reader: Gateway, case_no: str, expected: str) -> Json:
    """The case as soon as it waits for somebody or has come to its end, which must be as the story has it.

    Raises:
        RuntimeError: It came to another end.
    """
    steps_refused = "CASE_STEP_STATE_REFUSED"
    case: Json = (
        await until(
            lambda: reader.get(f"/v1/cases/{case_no}"),
            lambda body: (
                body["case"]["state"] in RESTING
                or any(step["state"] == steps_refused for step in body["case"]["steps"])
            ),
            f"the next state of case {case_no}",
        )
    )["case"]
    if case["state"] != expected:
        said = [step["problem_text"] for step in case["steps"] if step["problem_text"]]
        raise RuntimeError(f"case {case_no}: {case['state']} {case['problem_code']} {' '.join(said)}")
    return case


def _payee(who: Employee) -> Json:
    return {"name": who.name, "account": who.account_no}
