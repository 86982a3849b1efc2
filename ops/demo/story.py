"""The working life, act by act, through the gateway's public API only.

January 2025 to October 2026: a partner system registers an employer and enrols two hundred people, most of them by a
roster; one brings 28 years of history. Cards are made for all of them, and one is used. Every month is billed,
collected by the (simulated) tax bureau and credited; one person loses the job and is paid unemployment benefit month by
month; one earns a certificate and is paid a skills subsidy; one retires in the statutory month and is paid a pension.
What an office does with benefits that run follows in `ops/demo/claims.py`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.money import Money
from ops.demo import applications, claims, expectation
from ops.demo.arriving import bring_history, job_end, register
from ops.demo.cards import make_and_use_cards
from ops.demo.expectation import JOBLESS_BALANCE_2024, RETIREE_BALANCE_2024, Law
from ops.demo.life import Life
from ops.demo.people import (
    EMPLOYEES,
    LAST_JOB_MONTH,
    RAISE_FROM,
    RAISED_WAGE,
    REGISTRATION,
    RETIREMENT,
    START,
    draw,
)
from ops.demo.skills import CLAIMED, earn_and_claim
from ops.demo.stage import told, until

if TYPE_CHECKING:
    from ops.client import Json
    from ops.demo.stage import Stage

BILL_DAY = 20  # bills are assessed and paid in the month for which they are due, so each is booked in its own month
PAY_DAY = 8  # benefits of a month are paid early in it
YEAR_CLOSED = 2025
FIRST_BENEFIT = Month(2025, 11)  # the month after the registration


async def play(stage: Stage, size: int = EMPLOYEES) -> Life:
    """Play the whole story; what differs from the rules stands in `stage.checks`.

    Args:
        stage: Where.
        size: How many employees there are.
    """
    life = Life(draw(stage.run, size), Law(stage.platform.policy_dir))
    await register(stage, life)
    await bring_history(stage, life)
    await make_and_use_cards(stage, life)
    await work_and_pay(stage, life, 4, START, LAST_JOB_MONTH)
    await lose_job(stage, life)
    await work_and_pay(stage, life, 6, LAST_JOB_MONTH.plus(1), Month(YEAR_CLOSED, 12))
    await close_year(stage, life)
    claimed = Month.of(CLAIMED)
    await work_and_pay(stage, life, 8, Month(2026, 1), claimed)
    await earn_and_claim(stage, life)
    await work_and_pay(stage, life, 10, claimed.next, RETIREMENT)
    await retire(stage, life)
    await draw_pension(stage, life)
    await claims.be_injured(stage, life)
    await claims.come_back(stage, life, pay_benefits)
    await claims.die_in_service(stage, life)
    await claims.work_again(stage, life, pay_benefits)
    await claims.look_after(stage, life)
    return life


async def work_and_pay(stage: Stage, life: Life, number: int, first: Month, last: Month) -> None:
    """Acts 4, 6, 8 and 10: bills assessed and paid month by month; benefits paid where they are due."""
    stage.act(number, f"按月征缴 {first} 至 {last}", "Each month is billed, collected and credited; benefits are paid")
    for month in Month.range(first, last):
        if life.unemployment_id:
            await pay_benefits(stage, month)
        await stage.today(date(month.year, month.month, BILL_DAY))
        if month == RAISE_FROM:
            await raise_wage(stage, life)
        await bill(stage, life, month)
    stage.say(f"{first} 至 {last} 已缴清", "all bills paid in full, accounts credited")


async def bill(stage: Stage, life: Life, month: Month) -> None:
    """Assess one month and wait for the tax bureau's receipt."""
    working = [each for each in life.cast.employees if month <= LAST_JOB_MONTH or each is not life.cast.jobless]
    expected = sum(life.law.contribution(expectation.wage_in(each, month), month).total for each in working)
    answer = await stage.office.post(
        "/v1/bills:assess", {"employer_id": life.employer_id, "month": str(month)}, key=stage.key("bill", month)
    )
    assessed = answer["bill"]
    paid = await until(
        lambda: stage.office.get(f"/v1/bills/{assessed['bill_id']}"),
        lambda body: bool(body["bill"]["state"] == "BILL_STATE_PAID"),
        f"the receipt of {month}",
    )
    stage.check(
        f"{month} 应缴与实缴",
        "billed and received",
        f"{Money(expected)} = {Money(expected)}",
        f"{assessed['total']} = {paid['bill']['paid']}",
    )


async def raise_wage(stage: Stage, life: Life) -> None:
    """The retiree's wage is raised for his last months."""
    await stage.office.post(
        f"/v1/enrollments/{life.enrollment(life.cast.retiree)['enrollment_id']}:declare-wage",
        {"from_month": str(RAISE_FROM), "wage": str(RAISED_WAGE)},
        key=stage.key("raise"),
    )


async def lose_job(stage: Stage, life: Life) -> None:
    """Act 5: the contract of one employee is ended; everything that follows from it is one bundle."""
    stage.act(5, "失业", "One employee is dismissed and claims unemployment benefit")
    jobless = life.cast.jobless
    await stage.today(REGISTRATION)
    prepared = await applications.end_of_contract(
        stage, jobless, life.enrollment(jobless), LAST_JOB_MONTH, REGISTRATION
    )
    expected = life.law.unemployment(jobless, FIRST_BENEFIT)
    stage.check_money("失业金月标准", "unemployment benefit", Money(expected), prepared.statement["total"])
    decided = await applications.approve(stage, prepared)
    life.unemployment_id = decided.result_id
    benefit = (await stage.second.get(f"/v1/benefits/{decided.result_id}"))["benefit"]
    stage.check("失业金期限", "unemployment benefit ends", FIRST_BENEFIT.plus(17), benefit["last_month"])
    stage.say(
        f"办件 {decided.case_no}：核定失业金 {prepared.statement['total']} 元/月,至 {benefit['last_month']}",
        "one bundle: participation ended, registered, determined by one person and approved by another",
    )


async def pay_benefits(stage: Stage, month: Month) -> None:
    """Prepare, approve and send a month's payroll; the (simulated) bank confirms."""
    await stage.today(date(month.year, month.month, PAY_DAY))
    prepared = await stage.clerk.post("/v1/payrolls", {"month": str(month)}, key=stage.key("payroll", month))
    payroll_id = prepared["payroll"]["payroll_id"]
    ready = await until(
        lambda: stage.clerk.get(f"/v1/payrolls/{payroll_id}"),
        lambda body: bool(body["payroll"]["state"] != "PAYROLL_STATE_PREPARING"),
        f"the payroll of {month}",
    )
    if ready["payroll"]["state"] == "PAYROLL_STATE_APPROVED":
        return  # paid in a run before, and nothing has come on top
    await stage.second.post(
        f"/v1/payrolls/{payroll_id}:approve",
        {"digest": ready["payroll"]["digest"]},
        key=stage.key("approve payroll", payroll_id),
    )
    await until(
        lambda: stage.clerk.get(f"/v1/payrolls/{payroll_id}"),
        lambda body: _answered(body["payroll"]),
        f"the bank's answer for {month}",
    )


def _answered(payroll: Json) -> bool:
    return int(payroll["confirmed_count"]) + int(payroll["returned_count"]) == int(payroll["payment_count"])


async def close_year(stage: Stage, life: Life) -> None:
    """Act 7: interest of 2025 on every account."""
    stage.act(7, "年度计息", "The year 2025 is closed: interest on every personal account")
    await stage.today(date(2026, 1, 4))
    answer = await stage.office.post(f"/v1/account-years/{YEAR_CLOSED}:close", {}, key=stage.key("close year"))
    job = (await job_end(stage, answer["job"]["job_id"]))["job"]
    stage.check("计息任务", "interest job", "JOB_STATE_DONE", job["state"])
    december, job_lost = Month(YEAR_CLOSED, 12), LAST_JOB_MONTH
    for zh, en, employee, opening, last in (
        ("退休者", "the retiree", life.cast.retiree, RETIREE_BALANCE_2024, december),
        ("失业者", "the jobless", life.cast.jobless, JOBLESS_BALANCE_2024, job_lost),
        ("另一职工", "a colleague", life.cast.colleague, 0, december),
    ):
        account = await stage.office.get(f"/v1/persons/{life.person_id(employee)}/account")
        closed = next(year for year in account["years"] if year["year"] == YEAR_CLOSED)
        expected = Money(life.law.end_of_2025(employee, opening, last))
        stage.check_money(f"{zh} 2025 年末余额", f"{en}: balance at the end of 2025", expected, closed["closing"])
        stage.say(
            f"{zh}年末余额 {closed['closing']} 元,其中利息 {closed['interest']} 元", f"{en}: balance with interest"
        )


async def retire(stage: Stage, life: Life) -> None:
    """Act 11: estimate, settlement of the account, determination by two persons."""
    stage.act(11, "退休", "The man born in March 1966 retires in the statutory month")
    retiree = life.cast.retiree
    person_id = life.person_id(retiree)
    await stage.today(date(2026, 7, 27))
    citizen = await stage.citizen(retiree.name, retiree.id_no)
    retirement = (await citizen.get(f"/v1/persons/{person_id}/retirement"))["retirement"]
    stage.check("法定退休月", "statutory month", RETIREMENT, retirement["statutory_month"])
    stage.check("退休年龄", "age", "60y4m", retirement["age"])
    expected = life.law.pension(retiree)
    estimate = await citizen.ask("/v1/benefits:estimate", {"person_id": person_id})
    stage.check_money("本人测算", "own estimate", Money(expected.total), estimate["statement"]["total"])
    stage.say(f"本人登录测算 {estimate['statement']['total']} 元/月", "he logs in and sees his own estimate")
    prepared = await applications.pension(stage, retiree, person_id, RETIREMENT)
    account = await stage.office.get(f"/v1/persons/{person_id}/account")
    balance = life.law.at_retirement(retiree, RETIREE_BALANCE_2024)
    stage.check_money("退休时账户余额", "account at retirement", Money(balance), account["balance"])
    lines = {line["code"]: line["amount"] for line in prepared.statement["lines"]}
    for code, zh, amount in (
        ("basic", "基础养老金", expected.basic),
        ("account", "个人账户养老金", expected.account),
        ("transitional", "过渡性养老金", expected.transitional),
    ):
        stage.check_money(zh, code, Money(amount), lines.get(code, "missing"))
    stage.check_money("养老金合计", "pension", Money(expected.total), prepared.statement["total"])
    life.pension = await applications.approve(stage, prepared)
    life.pension_id = life.pension.result_id
    stage.say(
        f"办件 {life.pension.case_no}：核定养老金 {prepared.statement['total']} 元/月",
        "pension determined and approved",
    )
    insurance = await until(
        lambda: citizen.get(f"/v1/persons/{person_id}/insurance"),
        lambda body: all(each["state"] == "PARTICIPATION_STATE_ENDED" for each in body["participations"]),
        "the participations to end",
    )
    reasons = {each["end_reason"] for each in insurance["participations"]}
    stage.check("参保终止原因", "participations ended", "END_REASON_RETIRED", ", ".join(sorted(reasons)))


async def draw_pension(stage: Stage, life: Life) -> None:
    """Act 12: August 2026, the first month of pension."""
    stage.act(12, "发放", "The first pension is paid; both look at what they received")
    first = RETIREMENT.plus(1)
    await pay_benefits(stage, first)
    retiree, jobless = life.cast.retiree, life.cast.jobless
    mine = await stage.citizen(retiree.name, retiree.id_no)
    payments = (await mine.get(f"/v1/persons/{life.person_id(retiree)}/payments"))["payments"]
    expected = life.law.pension(retiree).total
    stage.check("养老金发放", "pension paid", told([(first, str(Money(expected)))]), _confirmed(payments))
    hers = await stage.citizen(jobless.name, jobless.id_no)
    received = (await hers.get(f"/v1/persons/{life.person_id(jobless)}/payments"))["payments"]
    due = [(each, str(Money(life.law.unemployment(jobless, each)))) for each in Month.range(FIRST_BENEFIT, first)]
    stage.check("失业金逐月发放", "unemployment benefit paid", told(due), _confirmed(received))
    stage.say(f"失业金 {len(received)} 个月,养老金 1 个月", "every month paid once, confirmed by the (simulated) bank")


def _confirmed(payments: list[Json]) -> str:
    """What the bank confirmed, month by month; anything else shows by its state."""
    good = "PAYMENT_STATE_CONFIRMED"
    return told(
        (Month.parse(each["month"]), each["amount"] if each["state"] == good else each["state"]) for each in payments
    )
