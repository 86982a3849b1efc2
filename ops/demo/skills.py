"""Act 9: a certificate is earned and its subsidy claimed, approved by a second person and paid."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.money import Money
from ops.demo import applications
from ops.demo.people import START
from ops.demo.stage import until
from ops.simulators.skills import Certificate, number_of, record

if TYPE_CHECKING:
    from ops.demo.life import Life
    from ops.demo.stage import Stage

EARNED, CLAIMED = date(2026, 2, 10), date(2026, 3, 25)
OCCUPATION, LEVEL = "6-18-01-01", 3  # 车工, advanced


async def earn_and_claim(stage: Stage, life: Life) -> None:
    """The learner's certificate arrives from its issuer; the subsidy is claimed, checked, approved and paid."""
    stage.act(9, "技能提升补贴", "A certificate is earned; the skills subsidy is claimed, approved by two and paid")
    await stage.today(CLAIMED)
    learner = life.cast.learner
    person_id = life.person_id(learner)
    number = number_of(stage.run)
    recorded = await record(stage.partner("skill-body"), person_id, Certificate(number, OCCUPATION, LEVEL, EARNED))
    stage.check("证书登记", "certificate recorded", LEVEL, recorded["certificate"]["level"])
    prepared = await applications.subsidy(stage, learner, person_id, number)
    expected = Money(life.law.skills_subsidy(LEVEL, CLAIMED))
    stage.check_money("补贴金额", "subsidy", expected, prepared.statement["total"])
    approved = await applications.approve(stage, prepared)
    holder = await stage.citizen(learner.name, learner.id_no)
    claim = (
        await until(
            lambda: holder.get(f"/v1/claims/{approved.result_id}"),
            lambda body: bool(body["claim"]["order"]["state"] != "SUBSIDY_ORDER_STATE_RELEASED"),
            "the bank's answer for the subsidy",
        )
    )["claim"]
    months = START.months_until(Month.of(EARNED)) + 1
    stage.check("失业保险月数", "insured months", months, claim["assessment"]["insured_months"])
    order = claim["order"]
    stage.check(
        "补贴发放",
        "subsidy paid",
        f"SUBSIDY_ORDER_STATE_CONFIRMED {expected}",
        f"{order['state']} {order['amount']}",
    )
    stage.say(
        f"技能提升补贴 {order['amount']} 元已发放",
        "claimed by herself, approved by another, paid (simulated bank)",
    )
