"""Act 3: physical cards are made, electronic ones follow; one is used, shown twice, lost and found."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from ops.client import Problem, key_of
from ops.demo import applications
from ops.simulators.cards import Order, make_cards

if TYPE_CHECKING:
    from ops.client import Gateway, Json
    from ops.demo.life import Life
    from ops.demo.people import Employee
    from ops.demo.stage import Stage

CARDS_MADE = date(2025, 1, 10)
PIN = "258036"  # no run, no repetition, and no part of a number born after 1966


async def make_and_use_cards(stage: Stage, life: Life) -> None:
    """The card centre makes everybody's card; one person uses the electronic one."""
    stage.act(3, "电子社保卡", "Cards are made for everybody; one person shows, loses and finds the electronic one")
    await stage.today(CARDS_MADE)
    await make(stage, life)
    holder = life.cast.holder
    card_id = life.cards[holder.id_no]
    citizen = await stage.citizen(holder.name, holder.id_no)
    mine = (await citizen.get(f"/v1/persons/{life.person_id(holder)}/cards"))["cards"]
    stage.check("本人电子社保卡", "own card", card_id, ", ".join(each["card_id"] for each in mine))
    case_no = await applications.activate_card(stage, holder, life.person_id(holder), card_id, PIN)
    stage.check("激活", "activated", "CARD_STATE_ACTIVE", await _state(citizen, card_id))
    stage.say(f"办件 {case_no}：电子社保卡已激活", "the holder agrees and sets a PIN: an instant case")
    await show(stage, citizen, card_id, holder)
    await lose_and_find(stage, citizen, card_id, life.person_id(holder), holder)


async def make(stage: Stage, life: Life) -> None:
    """The (simulated) card centre works off the orders of this employer; its feed issues the electronic cards."""
    employees = life.cast.employees
    orders = [Order(key_of(stage.run, "card", each.id_no)[:32], each.id_no) for each in employees]
    answers = await make_cards(stage.partner("card-centre"), orders)
    for employee, answer in zip(employees, answers, strict=True):
        life.cards[employee.id_no] = answer["card_id"]
    issued = {each["card_id"] for each in answers if each["card_state"] == "CARD_STATE_ISSUED"}
    stage.check("随实体卡签发", "cards issued by the feed", len(employees), len(issued))
    stage.say(f"制卡 {len(employees)} 张,电子社保卡随之签发", "physical cards made (simulated), electronic ones issued")


async def show(stage: Stage, citizen: Gateway, card_id: str, holder: Employee) -> None:
    """The card is shown at a hospital; the same code a second time is no code."""
    code = await mint(citizen, card_id)
    first = await verify(stage, code, "first")
    said = f"{holder.name[0]}{'*' * (len(holder.name) - 2)}{holder.name[-1]} {holder.id_no[-4:]}"
    stage.check(
        "医院验码",
        "verified by a hospital",
        f"VERIFY_RESULT_OK {said}",
        f"{first['result']} {first['name_masked']} {first['id_no_last4']}",
    )
    again = await verify(stage, code, "again")
    stage.check(
        "同一码再次出示",
        "the same code again",
        "VERIFY_RESULT_SHOW_AGAIN VERIFY_DETAIL_REPLAYED",
        f"{again['result']} {again['detail']}",
    )
    stage.say("展码一次有效,重放被拒", "a code is good once; shown again it is refused")


async def lose_and_find(stage: Stage, citizen: Gateway, card_id: str, person_id: str, holder: Employee) -> None:
    """A reported loss holds at once, also for a code that was made before; lifted, the card is good again."""
    code = await mint(citizen, card_id)
    await applications.report_loss(stage, holder, person_id, card_id)
    stage.check("挂失", "loss reported", "CARD_STATE_SUSPENDED_TEMP", await _state(citizen, card_id))
    refused = await verify(stage, code, "lost")
    stage.check("挂失后验码", "verified after the loss", "VERIFY_RESULT_NOT_VALID", refused["result"])
    stage.check("挂失后展码", "shown after the loss", "CARD_NOT_ACTIVE", await _refusal(citizen, card_id))
    await applications.lift_loss(stage, holder, person_id, card_id)
    stage.check("解挂", "loss lifted", "CARD_STATE_ACTIVE", await _state(citizen, card_id))
    good = await verify(stage, await mint(citizen, card_id), "found")
    stage.check("解挂后验码", "verified after the lift", "VERIFY_RESULT_OK", good["result"])
    stage.say("挂失即停,解挂即用", "a loss holds at once and is lifted by its holder")


async def _state(citizen: Gateway, card_id: str) -> str:
    return str((await citizen.get(f"/v1/cards/{card_id}"))["card"]["state"])


async def mint(citizen: Gateway, card_id: str) -> str:
    """The text of a code as it stands on the holder's screen."""
    return str((await citizen.ask("/v1/card-tokens", {"card_id": card_id}))["token"])


async def verify(stage: Stage, token: str, time: str) -> Json:
    """The (simulated) hospital reads the code."""
    hospital = stage.partner("hospital")
    return await hospital.post(
        "/v1/card-tokens:verify", {"token": token, "purpose": "medical"}, key=stage.key("verify", time, token)
    )


async def _refusal(citizen: Gateway, card_id: str) -> str:
    try:
        await mint(citizen, card_id)
    except Problem as refusal:
        return refusal.code
    return "a code"
