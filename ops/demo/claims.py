"""Acts 13 to 16: what an office does with benefits that run, after the working life.

September and October 2026: an accident at work and a death in service are determined; a pension comes back from a
closed account and is sent again; one who draws unemployment benefit works again and pays a month back; what nobody
published is refused, what another parameter would cost is looked at, and the books are proved.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.money import Money
from ops.client import Problem
from ops.demo.people import RETIREMENT
from ops.demo.stage import told, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ops.client import Json
    from ops.demo.life import Life
    from ops.demo.people import Employee
    from ops.demo.stage import Stage

ACCIDENT, APPRAISAL = date(2025, 12, 19), date(2026, 9, 3)
GRADE = 9
DEATH, DEATH_TOLD = date(2026, 9, 20), date(2026, 9, 25)
SEPTEMBER, OCTOBER = Month(2026, 9), Month(2026, 10)
PAYEES_LOOKED_AT = date(2026, 9, 4)
WORKS_AGAIN_TOLD = date(2026, 9, 28)
OFFICE_DAY = date(2026, 10, 12)
OTHER_BASE = Money.yuan("9200.00")  # what if the base of 2026 were this; nobody published it
NEW_WAGE = Money.yuan("6600.00")
_DOCUMENT = "通人社演示〔2026〕"


async def be_injured(stage: Stage, life: Life) -> None:
    """Act 13: an accident at work, grade 9, is determined by two persons."""
    stage.act(13, "工伤", "An accident at work: the grade brings a one-off grant")
    await stage.today(PAYEES_LOOKED_AT)
    hurt = life.cast.injured
    prepared = await stage.clerk.post(
        "/v1/determinations:prepare-injury",
        {
            "person_id": life.person_id(hurt),
            "event_date": ACCIDENT.isoformat(),
            "appraisal_date": APPRAISAL.isoformat(),
            "grade": GRADE,
            "payee": _payee(hurt),
            "document": f"{_DOCUMENT}1号",
        },
        key=stage.key("injury"),
    )
    expected = Money(life.law.injury_grant(hurt, Month.of(ACCIDENT), GRADE))
    stage.check_money("一次性伤残补助金", "one-off grant", expected, _total(prepared))
    await _decide(stage, prepared)
    stage.say(f"{GRADE} 级伤残,一次性补助 {expected} 元", "prepared by one person, approved by another")


async def come_back(stage: Stage, life: Life, pay: Callable[[Stage, Month], Awaitable[None]]) -> None:
    """Act 14: the pension of a month comes back from a closed account and is sent again to the right one."""
    stage.act(14, "退汇重发", "A pension comes back from a closed account and is sent again")
    retiree = life.cast.retiree
    stage.check(
        "变更账户需两人",
        "the maker may not decide",
        "SECOND_PERSON_REQUIRED",
        await _account_changed(stage, life, "0000"),
    )
    await pay(stage, SEPTEMBER)
    owed = (await stage.clerk.get("/v1/returned-payments"))["payments"]
    mine = [each for each in owed if each["benefit_id"] == life.pension_id]
    expected = str(Money(life.law.pension(retiree).total))
    stage.check("退汇", "came back", [(str(SEPTEMBER), expected)], [(each["month"], each["amount"]) for each in mine])
    await _account_changed(stage, life, retiree.account_no[-4:])
    stage.say("账户更正,下月重发", "a corrected account sends the month again with the next payroll")


async def die_in_service(stage: Stage, life: Life) -> None:
    """Act 15, first part: an insured person dies; the survivors are paid within the own contributions."""
    stage.act(15, "身故与再就业", "One person dies in service; one who draws unemployment benefit works again")
    await stage.today(DEATH_TOLD)
    dead = life.cast.deceased
    person = f"/v1/persons/{life.person_id(dead)}"
    told = {"death_date": DEATH.isoformat(), "source": "DEATH_SOURCE_MEDICAL", "evidence_ref": "SWZM-2026-0920"}
    await stage.clerk.post(f"{person}:record-death", told, key=stage.key("death"))
    own, expected = life.law.survivors(dead, Month.of(DEATH))
    claim = {
        "person_id": life.person_id(dead),
        "death_date": DEATH.isoformat(),
        "own_contributions": str(Money(own)),
        "payee": _payee(dead),
        "document": f"{_DOCUMENT}2号",
    }
    prepared = await until(lambda: _survivors(stage, claim), bool, "benefits to hear of the death")
    stage.check_money("丧葬补助金与抚恤金", "funeral grant and survivors' pension", Money(expected), _total(prepared))
    await _decide(stage, prepared)
    stage.say(f"遗属待遇 {Money(expected)} 元,以个人缴费为限", "below five years no more than was paid in")


async def _survivors(stage: Stage, claim: Json) -> Json:
    """What was prepared; nothing while benefits has not heard of the death."""
    try:
        return await stage.clerk.post("/v1/determinations:prepare-survivors", claim, key=stage.key("survivors"))
    except Problem as refusal:
        if refusal.code != "DEATH_NOT_KNOWN":
            raise
        return {}


async def work_again(stage: Stage, life: Life, pay: Callable[[Stage, Month], Awaitable[None]]) -> None:
    """Act 15, second part: a new job known late; the month that was paid too much comes back."""
    await stage.today(WORKS_AGAIN_TOLD)
    jobless = life.cast.jobless
    again = {"name": jobless.name, "id_no": jobless.id_no, "wage": str(NEW_WAGE), "post": jobless.post}
    await stage.office.post(
        "/v1/enrollments",
        {"employer_id": life.employer_id, "start_month": str(SEPTEMBER), **again},
        key=stage.key("again"),
    )
    listed = f"/v1/persons/{life.person_id(jobless)}/recoveries"
    found = await until(
        lambda: stage.clerk.get(listed), lambda body: bool(body["recoveries"]), "the month that was paid too much"
    )
    (recovery,) = found["recoveries"]
    owed = Money(life.law.unemployment(jobless, SEPTEMBER))
    stage.check(
        "再就业多发", "paid too much", f"REEMPLOYED {SEPTEMBER} {owed}",
        f"{recovery['reason']} {recovery['first_month']} {recovery['amount']}",
    )  # fmt: skip
    path = f"/v1/recoveries/{recovery['recovery_id']}"
    half = Money(owed.fen // 2)
    plan = {
        "method": "RECOVERY_METHOD_INSTALMENT",
        "monthly": str(half),
        "first_month": str(OCTOBER),
        "evidence_ref": "XY-2026-0928",
    }
    asked = await stage.clerk.post(f"{path}:plan", plan, key=stage.key("plan"))
    await _approve_request(stage, asked)
    await pay(stage, OCTOBER)
    paid_back = {"way": "RECOVERY_WAY_COUNTER", "amount": str(half), "receipt_no": f"SJ-{stage.run}"}
    await stage.clerk.post(f"{path}:repay", paid_back, key=stage.key("repay"))
    left = (await stage.clerk.get(path))["recovery"]
    stage.check("分期追回后尚欠", "still owed", Money(owed.fen - half.fen), left["balance"])
    stage.say(f"多发 {owed} 元,分期已还 {half} 元", "a month paid too much comes back in instalments")


async def look_after(stage: Stage, life: Life) -> None:
    """Act 16: what was paid, what nobody published, what another parameter would cost, and the proof of the books."""
    stage.act(16, "核对与测算", "Who was paid what; a certification; what if; the books are proved")
    await stage.today(OFFICE_DAY)
    retiree, law = life.cast.retiree, life.law
    await _paid(
        stage, life, retiree, [(each, law.pension(retiree).total) for each in Month.range(RETIREMENT.next, OCTOBER)]
    )
    await _paid(
        stage, life, life.cast.injured, [(SEPTEMBER, law.injury_grant(life.cast.injured, Month.of(ACCIDENT), GRADE))]
    )
    await _paid(
        stage, life, life.cast.deceased, [(Month.of(DEATH), law.survivors(life.cast.deceased, Month.of(DEATH))[1])]
    )
    await _certify(stage, life)
    unknown = {"year": 2026, "source": "ADJUSTMENT_SOURCE_POLICY"}
    stage.check(
        "江苏 2026 年调整标准", "Jiangsu's adjustment of 2026", "POLICY_PARAMETER_MISSING",
        await _refusal(stage.clerk.post("/v1/adjustments", unknown, key=stage.key("adjust"))),
    )  # fmt: skip
    await _what_if(stage, life)
    await _prove_the_books(stage)


async def _account_changed(stage: Stage, life: Life, end: str) -> str:
    """Change where the pension is paid to, by two persons; answers what the first is told who decides alone."""
    retiree = life.cast.retiree
    payee = {"name": retiree.name, "account": retiree.account_no[:-4] + end}
    asked = await stage.clerk.post(
        f"/v1/benefits/{life.pension_id}:change-payee",
        {"payee": payee, "evidence_ref": f"BG-2026-{end}"},
        key=stage.key("payee", end),
    )
    request = asked["request"]["keeping_request_id"]
    decided = {"approve": True}
    said = await _refusal(
        stage.clerk.post(f"/v1/keeping-requests/{request}:decide", decided, key=stage.key("alone", request))
    )
    await _approve_request(stage, asked)
    return said


async def _approve_request(stage: Stage, asked: Json) -> None:
    request = asked["request"]["keeping_request_id"]
    await stage.second.post(
        f"/v1/keeping-requests/{request}:decide", {"approve": True}, key=stage.key("decide request", request)
    )


async def _decide(stage: Stage, prepared: Json) -> None:
    """The second person approves each statement as it was prepared."""
    for each in prepared["determinations"]:
        await stage.second.post(
            f"/v1/determinations/{each['determination_id']}:approve",
            {"statement_digest": each["statement_digest"]},
            key=stage.key("approve determination", each["determination_id"]),
        )


async def _certify(stage: Stage, life: Life) -> None:
    """The pensioner is seen at the counter: the next certification is due a year later."""
    seen = {
        "source": "CERTIFICATION_SOURCE_COUNTER",
        "certified_date": OFFICE_DAY.isoformat(),
        "evidence_ref": f"RZ-{stage.run}",
    }
    person = f"/v1/persons/{life.person_id(life.cast.retiree)}"
    answer = await stage.clerk.post(f"{person}:certify", seen, key=stage.key("certify"))
    dates = [f"{each['last_date']} {each['certified']}" for each in answer["benefits"]]
    stage.check("资格认证", "certified", [f"{OFFICE_DAY} True"], dates)


async def _what_if(stage: Stage, life: Life) -> None:
    """What another base of 2026 would cost: a dry run over everybody, looked at and changing nothing."""
    change = {
        "file": "pension-employee.yaml",
        "key": "calculation_base",
        "from_date": "2026-01-01",
        "to_date": "2026-12-31",
        "value": str(OTHER_BASE),
    }
    made = await stage.clerk.post(
        "/v1/adjustments:what-if", {"change": change, "sample_size": 0}, key=stage.key("what if")
    )
    number = made["adjustment"]["adjustment_id"]
    seen = await until(
        lambda: stage.clerk.get(f"/v1/adjustments/{number}"),
        lambda body: bool(body["adjustment"].get("impact")),
        "what another base would cost",
    )
    mine = seen["adjustment"]["impact"]["samples"]
    retiree = life.cast.retiree
    now, then = life.law.pension(retiree).total, life.law.pension(retiree, OTHER_BASE.fen).total
    stage.check(
        "假如计发基数为 9200", "what if the base were 9200", f"{Money(now)} → {Money(then)}",
        next((f"{each['before']} → {each['after']}" for each in mine if each["before"] == str(Money(now))), "missing"),
    )  # fmt: skip


async def _prove_the_books(stage: Stage) -> None:
    """Every payment has its determination and participation, and the ledger is the payments."""
    made = await stage.clerk.post("/v1/benefit-book-checks", {}, key=stage.key("books"))
    looked = await until(
        lambda: stage.clerk.get(f"/v1/keeping-jobs/{made['job']['job_id']}"),
        lambda body: body["job"]["state"] in {"JOB_STATE_DONE", "JOB_STATE_FAILED"},
        "the proof of the books",
    )
    job = looked["job"]
    stage.check("待遇账目核对", "books of benefits", "JOB_STATE_DONE 0", f"{job['state']} {job['rejected_count']}")
    stage.say(f"{job['done_count']} 条规则账实相符", "every payment has its determination; the ledger is the payments")


async def _paid(stage: Stage, life: Life, who: Employee, due: list[tuple[Month, int]]) -> None:
    """What a person was paid, as the office sees it, month by month; only what the bank confirmed counts."""
    listed = await stage.clerk.get(f"/v1/persons/{life.person_id(who)}/payments")
    got = [
        (Month.parse(each["month"]), each["amount"])
        for each in listed["payments"]
        if each["state"] == "PAYMENT_STATE_CONFIRMED"
    ]
    stage.check("实发", "paid and confirmed", told((month, str(Money(fen))) for month, fen in due), told(got))


async def _refusal(call: Awaitable[Json]) -> str:
    try:
        await call
    except Problem as refusal:
        return refusal.code
    return "accepted"


def _total(prepared: Json) -> str:
    return str(Money(sum(Money.yuan(each["statement"]["total"]).fen for each in prepared["determinations"])))


def _payee(who: Employee) -> Json:
    return {"name": who.name, "account": who.account_no}
