"""What the story leaves out of the rooms of benefits, all sent twice: adjustments, suspensions, files, sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.demo.claims import OCTOBER, OFFICE_DAY
from ops.demo.stage import until
from ops.simulators.faces import check
from tests.system.twice import TwiceGateway

if TYPE_CHECKING:
    from ops.client import Gateway, Json
    from ops.demo.life import Life
    from ops.demo.stage import Stage

DEMO_TERMS = {"year": 2026, "source": "ADJUSTMENT_SOURCE_DEMO"}

# Their facts come from documents of people whom the story does not have, or from a payment that nothing else moves:
# tests/benefits stands for them. One way of all RPCs (chassis/once.py) stands for repetitions.
BESIDE = frozenset(
    {
        "POST /v1/determinations:prepare-disability-allowance",
        "POST /v1/determinations:prepare-government-pension",
        "POST /v1/determinations:prepare-injury-medical-grant",
        "POST /v1/determinations:prepare-injury-top-up",
        "POST /v1/determinations:prepare-resident-funeral",
        "POST /v1/determinations:prepare-resident-pension",
        "POST /v1/determinations:prepare-unemployment-extension",
        "POST /v1/determinations:prepare-unemployment-lump-sum",
        "POST /v1/determinations:prepare-work-death",
        "POST /v1/payments/{id}:retry",
        "POST /v1/payroll-releases",
        "POST /v1/payroll-releases/{id}:decide",
        "POST /v1/reminders:record",
    }
)


class Office:
    """Two persons of the office and two partners, who say everything twice."""

    def __init__(self, stage: Stage, life: Life) -> None:
        self.stage, self.life = stage, life
        self.twice = TwiceGateway(stage.platform.gateway_url, stage.http, patience=30)
        self.clerk = self.twice.acting(stage.provider.persona("staff-clerk-1"), "benefits that run")
        self.second = self.twice.acting(stage.provider.persona("staff-supervisor-1"), "benefits that run")

    def partner(self, name: str) -> Gateway:
        """A partner system."""
        return self.twice.acting(
            self.stage.provider.partner(name, self.stage.keys.password(f"idp-client-{name}")), "test"
        )

    async def post(self, path: str, body: Json, *parts: object, who: Gateway | None = None) -> Json:
        """Change something under a key of its own."""
        return await (who or self.clerk).post(path, body, key=self.stage.key("rooms", path, *parts))

    async def decide(self, asked: Json, *, why_not: str = "") -> None:
        """The second person approves what was asked for, or says why not."""
        request = asked["request"]["keeping_request_id"]
        said: Json = {"approve": False, "reason": why_not} if why_not else {"approve": True}
        await self.post(f"/v1/keeping-requests/{request}:decide", said, who=self.second)

    async def adjustment(self, path: str, state: str) -> Json:
        """An adjustment once it stands there."""
        answer = await until(
            lambda: self.clerk.get(path),
            lambda body: (
                body["adjustment"]["state"] == f"ADJUSTMENT_STATE_{state}" and bool(body["adjustment"].get("digest"))
            ),
            f"{path} to be {state}",
        )
        found: Json = answer["adjustment"]
        return found


async def enter(stage: Stage, life: Life) -> set[str]:
    """Go through the rooms; answers the routes that were sent twice."""
    office = Office(stage, life)
    await hold_back(office)
    await certify_many(office)
    await exchange_files(office)
    await give_up(office)
    await adjust(office)
    return office.twice.repeated


async def hold_back(office: Office) -> None:
    """A pension is held back on a suspicion and goes on."""
    pension = f"/v1/benefits/{office.life.pension_id}"
    why = {"reason": "SUSPENSION_REASON_SUSPECTED", "from_month": str(OCTOBER), "evidence_ref": "HC-2026-1012"}
    await office.decide(await office.post(f"{pension}:suspend", why))
    held = (await office.clerk.get(pension))["benefit"]
    assert held["state"] == "BENEFIT_STATE_SUSPENDED"
    await office.decide(await office.post(f"{pension}:resume", {"evidence_ref": "HC-2026-1013"}))
    ended = {
        "reason": "BENEFIT_END_REASON_REVOKED",
        "last_month": str(OCTOBER),
        "document": "通人社演示〔2026〕9号",
    }
    await office.decide(await office.post(f"{pension}:end", ended), why_not="材料不全")
    goes_on = (await office.clerk.get(pension))["benefit"]
    assert goes_on["state"] == "BENEFIT_STATE_ACTIVE"


async def certify_many(office: Office) -> None:
    """A sweep, a file of matched data and a face."""
    person_id = office.life.person_id(office.life.cast.retiree)
    answer = await check(office.partner("faces"), person_id, OFFICE_DAY)
    assert answer["benefits"][0]["certified"]
    day = OFFICE_DAY.isoformat()
    rows = [f"{person_id},{day},BD-{office.stage.run}", f"per_{'0' * 32},{day},BD-2"]
    header = f"#hrss-certifications,1,{day},simulated"
    content = "\n".join([header, "person_id,certified_date,evidence_ref", *rows, f"#totals,{len(rows)}", ""])
    upload = await office.clerk.upload(content.encode())
    named = {"upload_id": upload["upload_id"], "digest": upload["digest"]}
    job = await _job(office, await office.post("/v1/certification-files", named))
    assert (job["done_count"], job["rejected_count"]) == (1, 1)
    assert (await _job(office, await office.post("/v1/certification-sweeps", {})))["state"] == "JOB_STATE_DONE"
    await office.post("/v1/upkeep-jobs", {"task": "UPKEEP_TASK_RESIDENT_AMOUNTS"})


async def exchange_files(office: Office) -> None:
    """The file of a month goes to the bank; its answer comes once more as a file and changes nothing."""
    listed = await office.clerk.get("/v1/payrolls", state="PAYROLL_STATE_APPROVED")
    payroll = next(each for each in listed["payrolls"] if each["month"] == str(OCTOBER))
    path = f"/v1/payrolls/{payroll['payroll_id']}"
    made = (await office.post(f"{path}:make-file", {}))["file"]
    ready = await until(
        lambda: office.clerk.get(f"/v1/payment-files/{made['file_id']}"),
        lambda body: body["file"]["job"]["state"] == "JOB_STATE_DONE",
        "the payment file",
    )
    assert (ready["file"]["payment_count"], ready["file"]["total"]) == (payroll["payment_count"], payroll["total"])
    bank = office.partner("bank")
    orders = (await bank.get(f"{path}/payments"))["orders"]
    good = [each for each in orders if each["state"] == "PAYMENT_STATE_CONFIRMED"]
    rows = [
        f"{each['payment_id']},{each['amount']},CONFIRMED,SIMBANK-{each['payment_id'].removeprefix('pmt_')},"
        for each in good
    ]
    header = f"#hrss-returns,1,{payroll['payroll_id']},{OCTOBER},{payroll['sequence']},simulated"
    total = sum(int(each["amount"].replace(".", "")) for each in good)
    totals = f"#totals,{len(rows)},{total // 100}.{total % 100:02d},0.00"
    content = "\n".join([header, "payment_id,amount,outcome,reference,reason", *rows, totals, ""])
    upload = await bank.upload(content.encode())
    named = {"upload_id": upload["upload_id"], "digest": upload["digest"]}
    answer = await office.post(f"{path}:import-returns", named, who=bank)
    said = await until(
        lambda: bank.get(f"/v1/return-files/{answer['return_id']}/rows"),
        lambda body: len(body["rows"]) == len(rows),
        "the bank's file",
    )
    assert {each["verdict"] for each in said["rows"]} == {"RETURN_VERDICT_REPEATED"}


async def give_up(office: Office) -> None:
    """What is left of the month that was paid too much is written off by two persons."""
    person_id = office.life.person_id(office.life.cast.jobless)
    (recovery,) = (await office.clerk.get(f"/v1/persons/{person_id}/recoveries"))["recoveries"]
    path = f"/v1/recoveries/{recovery['recovery_id']}"
    await office.decide(
        await office.post(f"{path}:write-off", {"amount": recovery["balance"], "evidence_ref": "HX-2026-1"})
    )
    assert (await office.clerk.get(path))["recovery"]["balance"] == "0.00"


async def adjust(office: Office) -> None:
    """The demonstration's adjustment runs and is taken back; another is thrown away; nothing can be settled yet."""
    dropped = (await office.post("/v1/adjustments", DEMO_TERMS, "dropped"))["adjustment"]
    await office.post(f"/v1/adjustments/{dropped['adjustment_id']}:discard", {})
    made = (await office.post("/v1/adjustments", DEMO_TERMS))["adjustment"]
    path = f"/v1/adjustments/{made['adjustment_id']}"
    await office.post(f"{path}:dry-run", {})
    digest = (await office.adjustment(path, "DRY_RUN"))["digest"]
    await office.post(f"{path}:approve", {"digest": digest}, who=office.second)
    await office.post(f"{path}:start", {})
    await office.adjustment(path, "DONE")
    back = {"digest": digest, "reason": "演示结束"}
    await office.post(f"{path}:reverse", back)
    await office.post(f"{path}:reverse", back, "second", who=office.second)
    await office.adjustment(path, "REVERSED")
    settled = (await office.post("/v1/adjustments:recompute", {"benefit_id": office.life.pension_id}))["adjustment"]
    assert settled["benefit_id"] == office.life.pension_id
    await office.post(f"/v1/adjustments/{settled['adjustment_id']}:discard", {})


async def _job(office: Office, answer: Json) -> Json:
    looked = await until(
        lambda: office.clerk.get(f"/v1/keeping-jobs/{answer['job']['job_id']}"),
        lambda body: body["job"]["state"] in {"JOB_STATE_DONE", "JOB_STATE_FAILED"},
        "a job of benefits",
    )
    job: Json = looked["job"]
    return job
