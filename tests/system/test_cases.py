"""Cases on a whole platform: from the form to the benefit, while the gateway is killed on the way."""

from __future__ import annotations

import asyncio
import io
from datetime import date
from typing import TYPE_CHECKING

import httpx
import pytest
from rich.console import Console

from kernel.calendar import Month
from ops.demo import expectation
from ops.demo.people import draw
from ops.demo.stage import Stage, until
from tests.system.canary import leaks
from tests.system.running import running, settled

if TYPE_CHECKING:
    from pathlib import Path

    from ops.client import Gateway, Json
    from tests.system.running import Running

FIRST, LAST = Month(2025, 1), Month(2025, 12)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_lost_job_becomes_a_benefit_through_one_application(server_home: Path) -> None:
    with running(server_home / "cases") as platform:
        asyncio.run(_play(platform))


async def _play(platform: Running) -> None:
    async with httpx.AsyncClient(timeout=30) as http:
        stage = Stage(platform.platform, "cases", http, Console(file=io.StringIO()))
        cast = draw(stage.run)
        jobless = cast.jobless
        await stage.today(date(2025, 1, 3))
        employer = await stage.office.post(
            "/v1/employers",
            {
                "credit_code": cast.credit_code,
                "name": cast.employer_name,
                "division": "320602",
                "injury_class": expectation.INJURY_CLASS,
            },
            key=stage.key("employer"),
        )
        employer_id = employer["employer"]["employer_id"]
        enrolled = await _apply(
            stage.office,
            stage.key("EN05"),
            code="EN05",
            form={
                "enrollment": {
                    "employer_id": employer_id,
                    "name": jobless.name,
                    "id_no": jobless.id_no,
                    "start_month": str(FIRST),
                    "wage": str(jobless.wage),
                    "post": jobless.post,
                }
            },
        )
        enrolled = await _ended(stage.office, enrolled)
        assert (enrolled["state"], enrolled["case_no"][:6]) == ("CASE_STATE_DELIVERED", "320602")
        person_id, enrollment_id = enrolled["person_id"], enrolled["result_id"]
        for month in Month.range(FIRST, LAST):
            await _paid(stage, employer_id, month)

        await stage.today(date(2026, 1, 5))
        citizen = await stage.citizen(jobless.name, jobless.id_no)
        made = await _apply(
            citizen,
            stage.key("PK05"),
            code="PK05",
            form={
                "end_enrollment": {
                    "enrollment_id": enrollment_id,
                    "end_month": str(LAST),
                    "reason": "END_REASON_DISMISSED",
                },
                "unemployment": {"payee": {"name": jobless.name, "account": jobless.account_no}},
            },
        )
        number = made["case_no"]
        await _accept(stage, await _part(citizen, number, "EN06", "CASE_STATE_SUBMITTED"))
        benefit = await _part(citizen, number, "BE10", "CASE_STATE_SUBMITTED")
        await _accept(stage, benefit)
        platform.kill("gateway")
        prepared = await _until_state(stage.second, benefit, "CASE_STATE_IN_REVIEW")
        await stage.second.post(
            f"/v1/cases/{benefit}:decide",
            {"outcome": "CASE_OUTCOME_APPROVED", "statement_digest": prepared["statement_digest"]},
            key=stage.key("decide"),
        )
        platform.kill("gateway")
        done = await _until_state(citizen, number, "CASE_STATE_DELIVERED")

        assert [part["state"] for part in done["parts"]] == ["CASE_STATE_DELIVERED"] * 3
        benefits = (await citizen.get(f"/v1/persons/{person_id}/benefits"))["benefits"]
        assert [each["benefit_id"] for each in benefits] == [done["result_id"]]
        tracked = await stage.office.ask("/v1/cases:track", {"case_no": number, "last_four": jobless.id_no[-4:]})
        assert tracked["state"] == "CASE_STATE_DELIVERED"
        titles = [each["title"] for each in (await citizen.get(f"/v1/persons/{person_id}/messages"))["messages"]]
        assert titles[0].startswith("已办结")
        await settled(platform)
        assert not leaks(platform.home.root, [jobless.id_no, jobless.account_no, jobless.name])


async def _apply(gateway: Gateway, key: str, **given: object) -> Json:
    answer: Json = (await gateway.post("/v1/cases", {**given, "submit": True}, key=key))["case"]
    return answer


async def _until_state(gateway: Gateway, number: str, state: str) -> Json:
    found = await until(
        lambda: gateway.get(f"/v1/cases/{number}"), lambda body: bool(body["case"]["state"] == state), f"{state}"
    )
    case: Json = found["case"]
    return case


async def _ended(gateway: Gateway, case: Json) -> Json:
    return await _until_state(gateway, case["case_no"], "CASE_STATE_DELIVERED")


async def _part(gateway: Gateway, number: str, code: str, state: str) -> str:
    """Number of a part once it stands somewhere."""

    def part(body: Json) -> Json:
        found: Json = next(each for each in body["case"]["parts"] if each["item_code"] == code)
        return found

    body = await until(
        lambda: gateway.get(f"/v1/cases/{number}"), lambda body: bool(part(body)["state"] == state), f"{code} {state}"
    )
    return str(part(body)["case_no"])


async def _accept(stage: Stage, number: str) -> None:
    await stage.clerk.post(f"/v1/cases/{number}:accept", {}, key=stage.key("accept", number))


async def _paid(stage: Stage, employer_id: str, month: Month) -> None:
    await stage.today(date(month.year, month.month, 20))
    answer = await stage.office.post(
        "/v1/bills:assess", {"employer_id": employer_id, "month": str(month)}, key=stage.key("bill", month)
    )
    await until(
        lambda: stage.office.get(f"/v1/bills/{answer['bill']['bill_id']}"),
        lambda body: bool(body["bill"]["state"] == "BILL_STATE_PAID"),
        f"the receipt of {month}",
    )
