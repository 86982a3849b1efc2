"""Bad input of benefits and cards, sent over HTTP through a running gateway: what is wrong, where, and what to do."""

from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from kernel import ids
from ops.client import Problem
from ops.demo.stage import until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ops.client import Gateway, Json
    from ops.demo.life import Life
    from ops.demo.stage import Stage

PENSION, INJURY = "/v1/determinations:prepare-pension", "/v1/determinations:prepare-injury"
JOBLESS = "/v1/determinations:prepare-unemployment"
NOBODY = ids.to_text("per", uuid.UUID(int=1 << 80))
NO_CARD = ids.to_text("crd", uuid.UUID(int=1 << 80))
# Words of the machinery, which no office should read.
RAW = ("{", "}", "proto", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "grpc", "Traceback", "None", "descriptor")
AS_IT_IS = re.compile(r"[\w.\-/]*[_.\d][\w.\-/]*|\b(?:Retry-After|X)\b", re.ASCII)
ENGLISH = re.compile(r"[A-Za-z]{2,}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ADVICE = re.compile(r"请|无需|可以|可")
# Too long, lower case, three that Base45 has not, half a byte too many, nothing, and no letter of it.
NO_CODES = ("X" * 600, "abc", "GGW", ":::", "AAAA", "", "社保卡")
PAYEE = {"name": "钱示例", "account": "6222021001112223334"}


@dataclass(frozen=True)
class Case:
    """A request in which one thing is wrong, and what must be answered.

    Args:
        who: Who asks.
        path: Route with its ids.
        body: The request.
        status: HTTP status.
        code: Reason.
        named: Field that is named; empty: none.
        says: Words of the answer by language, of its title, detail or advice.
    """

    who: Gateway
    path: str
    body: Json
    status: int
    code: str
    named: str = ""
    says: Mapping[str, str] = field(default_factory=dict)  # "" in both languages


@dataclass(frozen=True)
class Office:
    """Whom and what the table is about."""

    clerk: Gateway
    second: Gateway
    twice: Gateway  # a supervisor who is the clerk of the preparation as well
    bank: Gateway
    citizen: Gateway
    hotline: Gateway
    young: str
    jobless: str
    card_id: str
    holder_id: str
    prepared: Json
    payroll: Json
    waiting: str
    other_file: Json
    other_month: str
    employer_id: str


async def prepare(stage: Stage, life: Life) -> Office:
    """What must be there before something can be wrong with it."""
    young, holder = life.cast.employees[7], life.cast.holder
    clerk2 = stage.gateway.acting(stage.provider.persona("staff-clerk-2"), "bad input")
    ended = {"end_month": "2026-07", "reason": "END_REASON_CONTRACT_EXPIRED"}
    enrollment_id = life.enrollment(young)["enrollment_id"]
    await stage.office.post(f"/v1/enrollments/{enrollment_id}:end", ended, key=stage.key("bad", "end"))
    bank = stage.partner("bank")
    found = (await bank.get("/v1/payrolls", state="PAYROLL_STATE_APPROVED"))["payrolls"]
    payroll, other = found[0], next(one for one in found if one["month"] != found[0]["month"])
    text = (
        f"#hrss-returns,1,{other['payroll_id']},{other['month']},{other['sequence']},simulated\n"
        "payment_id,amount,outcome,reference,reason\n"
        f"{ids.to_text('pmt', uuid.UUID(int=7))},1.00,CONFIRMED,BANK-REF-1,\n"
        "#totals,1,1.00,0.00\n"
    )
    claim = {"person_id": life.person_id(young), "registration_date": "2026-08-03", "payee": PAYEE}
    await stage.today(date(2026, 11, 5))
    waiting = (await clerk2.post("/v1/payrolls", {"month": "2026-11"}, key=stage.key("bad", "payroll")))["payroll"]
    prepared = await clerk2.post(JOBLESS, claim, key=stage.key("bad", "prepare"))
    await until(
        lambda: clerk2.get(f"/v1/payrolls/{waiting['payroll_id']}"),
        lambda answer: bool(answer["payroll"]["state"] == "PAYROLL_STATE_PREPARED"),
        "the payroll",
    )
    return Office(
        clerk=stage.clerk,
        second=stage.second,
        twice=stage.gateway.acting(stage.provider.persona("staff-supervisor-2"), "bad input"),
        bank=bank,
        hotline=stage.partner("hotline"),
        citizen=await stage.citizen(holder.name, holder.id_no),
        young=life.person_id(life.cast.colleague),
        jobless=life.person_id(young),
        card_id=life.cards[holder.id_no],
        holder_id=life.person_id(holder),
        prepared=prepared["determination"],
        payroll=payroll,
        waiting=f"/v1/payrolls/{waiting['payroll_id']}:approve",
        other_file=await bank.upload(text.encode()),
        other_month=other["month"],
        employer_id=life.employer_id,
    )


def cases(office: Office) -> Sequence[Case]:
    """The table."""
    clerk, second, young = office.clerk, office.second, {"person_id": office.young, "payee": PAYEE}
    gone = {"person_id": office.jobless, "payee": PAYEE}
    determination = f"/v1/determinations/{office.prepared['determination_id']}:approve"
    injured = young | {
        "event_date": "2026-03-10",
        "appraisal_date": "2026-08-20",
        "grade": 3,
        "document": "通劳鉴〔2026〕7号",
    }
    payroll = f"/v1/payrolls/{office.payroll['payroll_id']}"
    returned = {"upload_id": office.other_file["upload_id"], "digest": office.other_file["digest"]}
    return [
        Case(clerk, PENSION, young | {"retirement_month": "2026--1"}, 400, "MONTH_MALFORMED", "retirement_month"),
        Case(clerk, PENSION, young | {"retirement_month": "2026-13"}, 400, "MONTH_IMPOSSIBLE", "retirement_month"),
        Case(clerk, PENSION, young | {"retirement_month": -3}, 400, "MONTH_MALFORMED", "retirement_month"),
        Case(
            clerk,
            PENSION,
            young | {"retirement_month": "1950-01"},
            422,
            "TOO_EARLY",
            says={"zh": "可选 20", "en": "is possible"},
        ),
        Case(
            clerk,
            PENSION,
            young | {"retirement_month": "9999-12"},
            422,
            "TOO_LATE",
            says={"zh": "可选 20", "en": "is possible"},
        ),
        Case(
            clerk,
            PENSION,
            young | {"retirement_month": "2026-08", "track": "TRACK_SPACE"},
            400,
            "ENUM_UNKNOWN",
            "track",
        ),
        Case(
            clerk,
            PENSION,
            young | {"retirement_month": "2026-08", "old_transitional": {"fen": -1}},
            400,
            "MONEY_MALFORMED",
            "old_transitional",
        ),
        Case(
            clerk,
            PENSION,
            young | {"retirement_month": "2026-08", "old_transitional": "-1.00"},
            400,
            "MONEY_OUT_OF_RANGE",
            "old_transitional",
        ),
        Case(clerk, PENSION, young | {"person_id": "张三"}, 400, "ID_MALFORMED", "person_id"),
        Case(clerk, PENSION, young | {"person_id": NOBODY, "retirement_month": "2026-08"}, 404, "PERSON_NOT_FOUND"),
        Case(clerk, PENSION, young | {"month_of_retirement": "2026-08"}, 400, "UNKNOWN_FIELD", "month_of_retirement"),
        Case(clerk, JOBLESS, young | {"registration_date": "2026-02-30"}, 400, "DATE_IMPOSSIBLE", "registration_date"),
        Case(clerk, JOBLESS, gone | {"registration_date": "1900-01-01"}, 422, "REGISTRATION_DATE_INVALID"),
        Case(
            clerk,
            JOBLESS,
            gone | {"registration_date": "2026-08-03", "carried_months": -1},
            400,
            "CARRIED_MONTHS_INVALID",
            "carried_months",
        ),
        Case(
            clerk,
            JOBLESS,
            gone | {"registration_date": "2026-08-03", "carried_months": "很多"},
            400,
            "WRONG_TYPE",
            "carried_months",
        ),
        Case(clerk, INJURY, injured | {"appraisal_date": "2026-01-01"}, 400, "DATES_OUT_OF_ORDER", "appraisal_date"),
        Case(
            clerk,
            INJURY,
            injured | {"event_date": "2025-03-10", "appraisal_date": "2025-08-20", "grade": 11},
            400,
            "INJURY_GRADE_INVALID",
            "grade",
        ),
        Case(clerk, INJURY, injured | {"grade": 2**40}, 400, "NUMBER_OUT_OF_RANGE", "grade"),
        Case(
            clerk,
            "/v1/adjustments",
            {"year": 2026, "source": "ADJUSTMENT_SOURCE_POLICY"},
            422,
            "POLICY_PARAMETER_MISSING",
            says={"": "annual_adjustment.jiangsu_amounts", "zh": "2026-01-01", "en": "pension-employee.yaml"},
        ),
        Case(
            clerk,
            "/v1/adjustments",
            {"year": -1, "source": "ADJUSTMENT_SOURCE_POLICY"},
            400,
            "ADJUSTMENT_YEAR_INVALID",
            "year",
        ),
        Case(
            office.twice, determination, {"statement_digest": office.prepared["statement_digest"]}, 403, "SAME_PERSON"
        ),
        Case(
            second,
            determination,
            {"statement_digest": "0" * 64},
            422,
            "STATEMENT_CHANGED",
            "statement_digest",
            {"": office.prepared["statement_digest"]},
        ),
        Case(second, determination, {"statement_digest": "abc"}, 422, "STATEMENT_CHANGED", "statement_digest"),
        Case(second, office.waiting, {"digest": "0" * 64}, 422, "PAYROLL_CHANGED"),
        Case(office.twice, office.waiting, {"digest": "0" * 64}, 403, "SAME_PERSON"),
        Case(second, f"{payroll}:approve", {"digest": "0" * 64}, 422, "PAYROLL_NOT_PREPARED"),
        Case(
            office.bank,
            f"{payroll}:import-returns",
            returned,
            422,
            "RETURN_FILE_OF_ANOTHER",
            "upload_id",
            {"": office.other_month},
        ),
        Case(office.bank, f"{payroll}:import-returns", returned | {"digest": "x"}, 404, "FILE_NOT_FOUND", "upload_id"),
        Case(clerk, "/v1/payrolls", {"month": "2199-01"}, 422, "MONTH_NOT_STARTED", "month", {"": "2199-01"}),
        # cards
        Case(
            office.hotline,
            "/v1/card-losses",
            {"id_no": "990000197001019911", "call_ref": "H-1"},
            400,
            "ID_NO_INVALID",
            "id_no",
        ),
        Case(
            office.hotline,
            "/v1/card-losses",
            {"id_no": "990000700101991", "call_ref": "H-1"},
            400,
            "ID_NO_INVALID",
            "id_no",
        ),
        Case(office.hotline, "/v1/card-losses", {"id_no": "", "call_ref": "H-1"}, 400, "ID_NO_INVALID", "id_no"),
        Case(clerk, f"/v1/persons/{NOBODY}/cards", {}, 404, "PERSON_NOT_FOUND"),
        Case(clerk, f"/v1/persons/{office.holder_id}/cards", {"evidence_ref": "B-1"}, 409, "ALREADY_HAS_CARD"),
        Case(second, f"/v1/cards/{NO_CARD}:unlock", {}, 404, "CARD_NOT_FOUND"),
        Case(second, "/v1/cards/nonsense:unlock", {}, 404, "CARD_NOT_FOUND"),
        Case(
            office.citizen,
            f"/v1/cards/{office.card_id}:activate",
            {"consent": True, "pin": "12"},
            422,
            "CARD_STEP_REFUSED",
        ),
        Case(
            office.citizen,
            f"/v1/persons/{office.holder_id}/delegations",
            {
                "ward_name": "赵\u0007示例",
                "ward_id_no": "990000197001019952",
                "relation": "FAMILY_RELATION_ELDER",
                "scopes": ["FAMILY_SCOPE_QUERY"],
            },
            400,
            "CHARACTER_NOT_ALLOWED",
            "ward_name",
        ),
        Case(
            office.citizen,
            f"/v1/persons/{office.holder_id}/delegations",
            {
                "ward_name": "赵示例",
                "ward_id_no": "990000197001019911",
                "relation": "FAMILY_RELATION_ELDER",
                "scopes": ["FAMILY_SCOPE_QUERY"],
            },
            400,
            "ID_NO_INVALID",
            "ward_id_no",
        ),
    ]


async def ask(case: Case, language: str) -> Json:
    """What is answered in a language; nothing may be taken."""
    try:
        answer = await case.who.call(
            "POST", case.path, body=case.body, key=uuid.uuid4().hex, headers={"accept-language": language}
        )
    except Problem as problem:
        return problem.body
    raise AssertionError(f"taken: {case.path} {case.body} {answer.body}")


async def wrongly_said(case: Case) -> list[str]:
    """What is wrong with the answer to a case; nothing, when it is right."""
    found = []
    answers = {"zh": await ask(case, "zh-CN"), "en": await ask(case, "en")}
    for language, body in answers.items():
        texts = [str(body.get(part, "")) for part in ("title", "detail", "hint")]
        whole = " ".join(texts)
        if (body["status"], body["code"]) != (case.status, case.code):
            found.append(f"{body['status']} {body['code']}")
        named = [one["pointer"] for one in body.get("errors", [])]
        if named != ([f"/{case.named}"] if case.named else []):
            found.append(f"names {named}")
        if not all(texts):
            found.append(f"{language}: no title, detail or advice")
        found += [
            f"{language}: lacks {word}"
            for key, word in case.says.items()
            if key in {"", language} and word not in whole
        ]
        found += [f"{language}: {word}" for word in RAW if word in whole]
        # Ids, dates, keys and files of law are the same in every language; a word of English is not.
        if language == "zh" and (words := ENGLISH.findall(AS_IT_IS.sub(" ", whole))):
            found.append(f"English in Chinese: {words}")
        if language == "en" and CHINESE.search(whole):
            found.append(f"Chinese in English: {whole}")
    zh, en = answers["zh"]["hint"], answers["en"]["hint"]
    if not ADVICE.search(zh) or zh == en:
        found.append(f"no advice: {zh}")
    return [f"{case.path} {case.code}: {one}" for one in found]


async def read_codes(stage: Stage) -> set[tuple[str, str]]:
    """What a hospital is told about codes that are none: refused, and not why; whoever tries codes learns nothing."""
    hospital = stage.partner("hospital")
    answers = [
        await hospital.post("/v1/card-tokens:verify", {"token": token, "purpose": "medical"}) for token in NO_CODES
    ]
    return {(one["result"], one["detail"]) for one in answers}


async def race(stage: Stage, office: Office) -> list[str]:
    """The same accident is determined twice, and both are approved at once: one wins; the reasons of the others."""
    body = {
        "person_id": office.young, "event_date": "2025-03-10", "appraisal_date": "2025-08-20", "grade": 9,
        "document": "通劳鉴〔2025〕9号", "payee": PAYEE,
    }  # fmt: skip
    made = [await stage.clerk.post(INJURY, body, key=stage.key("bad", "race", one)) for one in range(2)]
    shown = [one["determinations"][0] for one in made]
    answers = await asyncio.gather(
        *(
            stage.second.call(
                "POST",
                f"/v1/determinations/{one['determination_id']}:approve",
                body={"statement_digest": one["statement_digest"]},
                key=uuid.uuid4().hex,
            )
            for one in shown
        ),
        return_exceptions=True,
    )
    return [one.code if isinstance(one, Problem) else "" for one in answers]
