"""The working life on a whole platform, with every request sent twice; then a look at what it left behind."""

from __future__ import annotations

import asyncio
import io
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import httpx
import pytest
from google.api import annotations_pb2  # type: ignore[import-untyped]  # the package carries no types
from google.protobuf import descriptor_pb2
from rich.console import Console

from hrss.options.v1 import options_pb2
from ops.demo.report import tell
from ops.demo.stage import Stage
from ops.demo.story import play
from ops.home import ROOT
from ops.simulators.bank import answer_order, answer_subsidy
from ops.simulators.skills import ISSUER_TYPE, Certificate, number_of, record
from ops.simulators.tax import send_receipt
from tests.system import bad_input, benefit_rooms
from tests.system.canary import leaks
from tests.system.oracle import differences
from tests.system.running import SMALL, running, settled
from tests.system.twice import ID, TwiceGateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ops.client import Json
    from ops.demo.life import Life
    from tests.system.running import Running

# The first of these tests waits for the whole story, which takes its time on a machine that does other things too.
pytestmark = pytest.mark.timeout(400)
# The story does not enter these rooms; their own tests and one way of all RPCs (chassis/once.py) stand for repetitions.
ROOMS_BESIDE_THE_STORY = {
    "BatchesService", "CityService", "CodesService", "CollectionService", "CoverService", "FamilyService",
    "KeysService", "MovingService", "PersonsService", "SupportService",
}  # fmt: skip
# The life of a card beyond loss and return: tests/card has it all, at its own edge.
CARDS_BESIDE_THE_STORY = {
    "POST /v1/card-days",
    "POST /v1/card-losses",
    "POST /v1/persons/{id}/cards",
    "POST /v1/persons/{id}/contact",
    "POST /v1/persons/{id}/contact:remove",
    "POST /v1/pin-entries/{id}:enter",
    "POST /v1/text-codes/{id}:confirm",
    *(
        f"POST /v1/cards/{{id}}:{what}"
        for what in (
            "activate-at-counter", "ask-for-pin", "reset-pin-at-counter", "send-reset-code",
            "decide-cancel", "lock", "prepare-cancel", "record-proof", "replace", "report-formal-loss", "start-proof",
            "unlock",
        )
    ),
}  # fmt: skip
OTHER_TURNS_OF_A_CASE = ("correct", "decline", "request-correction", "retry", "submit", "withdraw")


@dataclass
class Played:
    """A story that was played to its end."""

    running: Running
    stage: Stage
    life: Life
    agreed: bool
    text: str
    repeated: set[str]


@pytest.fixture(scope="module")
def played(server_home: Path) -> Iterator[Played]:
    with running(server_home / "life") as platform:
        yield asyncio.run(_play(platform))


async def _play(platform: Running) -> Played:
    console = Console(file=io.StringIO(), width=140)
    async with httpx.AsyncClient(timeout=30) as http:
        stage = Stage(platform.platform, "system-test", http, console, gateway_type=TwiceGateway)
        life = await play(stage, SMALL)
        agreed = await tell(stage, life)
        repeated = stage.office.repeated if isinstance(stage.office, TwiceGateway) else set()
    assert isinstance(console.file, io.StringIO)
    return Played(platform, stage, life, agreed, console.file.getvalue(), repeated)


def test_every_figure_agrees_with_the_rules(played: Played) -> None:
    assert played.agreed, played.text


def test_the_statement_names_lines_parameters_and_sources(played: Played) -> None:
    for word in ("基础养老金", "个人账户养老金", "过渡性养老金", "GF-2005-38", "calculation_base", "provisional"):
        assert word in played.text or word in played.text.replace("\n", ""), word


async def test_every_change_was_made_once_although_it_was_sent_twice(played: Played) -> None:
    async with httpx.AsyncClient(timeout=30) as http:
        stage = Stage(played.running.platform, "system-test", http, Console(file=io.StringIO()))
        repeated = played.repeated | await _reject_one(stage, played) | await _answer_again(stage, played)
        repeated |= await _reject_a_claim(stage, played) | await _use_up_a_card(stage, played)
        repeated |= await benefit_rooms.enter(stage, played.life)

    # The story's applications are simply accepted and approved: tests/gateway_cases/test_repeats.py sends the rest
    # twice. The other four are called by the workers of cases alone, again when one dies: tests/system/test_cases.py.
    assert _changing_routes() - repeated == benefit_rooms.BESIDE | CARDS_BESIDE_THE_STORY | {
        *(f"POST /v1/cases/{{id}}:{what}" for what in OTHER_TURNS_OF_A_CASE),
        "POST /v1/claims/{id}:approve",
        "POST /v1/claims/{id}:prepare",
        "POST /v1/determinations:prepare-pension",
        "POST /v1/persons/{id}/account:settle",
    }


async def _reject_one(stage: Stage, played: Played) -> set[str]:
    """The second person rejects, and approves what is prepared again."""
    colleague = played.life.cast.employees[6]
    nobody = TwiceGateway(stage.platform.gateway_url, stage.http, patience=30)
    clerk = nobody.acting(stage.provider.persona("staff-clerk-1"), "rejection")
    second = nobody.acting(stage.provider.persona("staff-supervisor-1"), "rejection")
    office = nobody.acting(stage.provider.partner("front-office", stage.keys.password("idp-client-front-office")))
    await office.post(
        f"/v1/enrollments/{played.life.enrollment(colleague)['enrollment_id']}:end",
        {"end_month": "2026-07", "reason": "END_REASON_CONTRACT_EXPIRED"},
        key=stage.key("end colleague"),
    )
    claimed = {
        "person_id": played.life.person_id(colleague),
        "registration_date": "2026-08-03",
        "payee": {"name": colleague.name, "account": colleague.account_no},
    }
    prepare = "/v1/determinations:prepare-unemployment"
    first = (await clerk.post(prepare, claimed, key=stage.key("prepare colleague")))["determination"]
    await second.post(
        f"/v1/determinations/{first['determination_id']}:reject",
        {"reason": "材料不全"},
        key=stage.key("reject colleague"),
    )
    better = (await clerk.post(prepare, claimed, key=stage.key("prepare colleague again")))["determination"]
    await second.post(
        f"/v1/determinations/{better['determination_id']}:approve",
        {"statement_digest": better["statement_digest"]},
        key=stage.key("approve colleague"),
    )
    return nobody.repeated


async def _answer_again(stage: Stage, played: Played) -> set[str]:
    """What the simulators said once is said again: the same numbers, the same stored answers."""
    nobody = TwiceGateway(stage.platform.gateway_url, stage.http, patience=30)
    tax, bank = (
        nobody.acting(stage.provider.partner(name, stage.keys.password(f"idp-client-{name}")))
        for name in ("tax-bureau", "bank")
    )
    bills = await tax.get("/v1/bills", employer_id=played.life.employer_id, state="BILL_STATE_PAID")
    answer = await send_receipt(tax, bills["bills"][0])
    assert answer["bill"]["state"] == "BILL_STATE_PAID"
    payrolls = await bank.get("/v1/payrolls", state="PAYROLL_STATE_APPROVED")
    orders = await bank.get(f"/v1/payrolls/{payrolls['payrolls'][0]['payroll_id']}/payments")
    result = await answer_order(bank, orders["orders"][0])
    assert result["payment"]["state"] == "PAYMENT_STATE_CONFIRMED"
    return nobody.repeated


async def _reject_a_claim(stage: Stage, played: Played) -> set[str]:
    """The learner claims for a second certificate in the same year; the bank says again what it said of the first."""
    learner = played.life.cast.learner
    person_id = played.life.person_id(learner)
    twice = TwiceGateway(stage.platform.gateway_url, stage.http, patience=30)
    clerk = twice.acting(stage.provider.persona("staff-clerk-1"), "skills subsidy")
    second = twice.acting(stage.provider.persona("staff-supervisor-1"), "skills subsidy")
    body, bank = (
        twice.acting(stage.provider.partner(name, stage.keys.password(f"idp-client-{name}")))
        for name in ("skill-body", "bank")
    )
    paid = (await clerk.get(f"/v1/persons/{person_id}/claims"))["claims"][0]
    answered = await answer_subsidy(bank, {**paid["order"], "payee": {"account": learner.account_no}})
    assert answered["order"]["state"] == "SUBSIDY_ORDER_STATE_CONFIRMED"
    other = Certificate(number_of(stage.run, "second"), "6-18-01-02", 3, date(2026, 5, 11))
    await record(body, person_id, other)
    claim = {"person_id": person_id, "issuer_type": ISSUER_TYPE, "number": other.number}
    payee = {"name": learner.name, "account": learner.account_no}
    made = await clerk.post("/v1/claims", {**claim, "payee": payee}, key=stage.key("second claim"))
    path = f"/v1/claims/{made['claim']['claim_id']}"
    rejected = await second.post(f"{path}:reject", {"reason": "本年度已享受"}, key=stage.key("reject claim"))
    assert [one["code"] for one in rejected["claim"]["assessment"]["failures"]] == ["YEAR_LIMIT"]
    return twice.repeated


async def _use_up_a_card(stage: Stage, played: Played) -> set[str]:
    """A card is activated, lost and found; wrong PINs lock it, a new one opens it, its holder cancels it."""
    holder = played.life.cast.employees[6]
    card = f"/v1/cards/{played.life.cards[holder.id_no]}"
    login = (await stage.citizen(holder.name, holder.id_no, acr=4)).login
    assert login is not None
    citizen = TwiceGateway(stage.platform.gateway_url, stage.http, patience=30).acting(login)
    await citizen.post(f"{card}:activate", {"consent": True, "pin": "258036"}, key=stage.key("activate"))
    await citizen.post(f"{card}:report-loss", {}, key=stage.key("lose"))
    await citizen.post(f"{card}:lift-loss", {}, key=stage.key("find"))
    tries = [
        await citizen.post(f"{card}:confirm-pin", {"pin": "741258"}, key=stage.key("pin", count)) for count in range(5)
    ]
    assert [each["tries_left"] for each in tries] == [4, 3, 2, 1, 0]
    assert tries[-1]["result"] == "PIN_RESULT_LOCKED"
    opened = await citizen.post(f"{card}:reset-pin", {"pin": "963852"}, key=stage.key("reset"))
    assert opened["card"]["state"] == "CARD_STATE_ACTIVE"
    cancelled = await citizen.post(f"{card}:cancel", {}, key=stage.key("cancel"))
    assert cancelled["card"]["state"] == "CARD_STATE_CANCELLED"
    return citizen.repeated


def _changing_routes() -> set[str]:
    """Method and path of every RPC that takes an Idempotency-Key, from the descriptors."""
    files = descriptor_pb2.FileDescriptorSet.FromString((ROOT / "gen/hrss/descriptors.binpb").read_bytes())
    return {
        f"POST {ID.sub('/{id}', _route(method))}"
        for file in files.file
        for service in file.service
        if service.name not in ROOMS_BESIDE_THE_STORY
        for method in service.method
        if method.options.Extensions[options_pb2.http].idempotency == options_pb2.IDEMPOTENCY_REQUIRED
    }


def _route(method: descriptor_pb2.MethodDescriptorProto) -> str:
    """Path of an RPC with every variable as {id}."""
    return re.sub(r"\{[a-z_]+\}", "{id}", method.options.Extensions[annotations_pb2.http].post)


async def test_everything_that_was_said_was_heard_once_and_the_books_balance(played: Played) -> None:
    await settled(played.running)

    assert await differences(played.running.owner_url) == []


async def test_the_trace_of_the_determination_goes_from_the_gateway_through_nats(played: Played) -> None:
    assert played.life.pension is not None
    url = f"{played.running.platform.traces_url}/api/traces/{played.life.pension.trace_id}"
    async with httpx.AsyncClient() as http:
        spans: list[Json] = (await http.get(url)).json()["spans"]
    by_id = {span["span_id"]: span for span in spans}

    def way(span: Json) -> list[str]:
        above = by_id.get(span["parent_id"])
        return [*(way(above) if above else []), span["service"]]

    heard = [span for span in spans if span["service"] == "enrollment" and "BenefitStarted" in span["name"]]
    rows = [span for span in spans if span["attributes"].get("db.system.name") == "postgresql"]
    assert [list(dict.fromkeys(way(span))) for span in heard] == [["gateway", "benefits", "enrollment"]]
    assert {tuple(dict.fromkeys(way(span))) for span in rows} >= {
        ("gateway", "benefits"),
        ("gateway", "benefits", "enrollment"),
    }


def test_personal_data_stands_nowhere_in_clear(played: Played) -> None:
    cast = played.life.cast
    people = (cast.retiree, cast.holder, cast.on_roster[-1])  # who is paid, who has a card, who came in a file
    needles = [text for each in people for text in (each.name, each.id_no, each.account_no)]
    needles.append(number_of("system-test"))

    assert leaks(played.running.home.root, needles) == []


def test_the_platform_goes_on_where_it_was(played: Played) -> None:
    benefit = f"/v1/benefits/{played.life.pension_id}"

    assert played.running.stop() == 0
    played.running.start()

    async def read() -> Json:
        async with httpx.AsyncClient(timeout=30) as http:
            stage = Stage(played.running.platform, "system-test", http, Console(file=io.StringIO()))
            return await stage.clerk.get(benefit)

    assert asyncio.run(read())["benefit"]["state"] == "BENEFIT_STATE_ACTIVE"


async def test_what_is_wrong_is_named_in_both_languages_with_advice(played: Played) -> None:
    async with httpx.AsyncClient(timeout=30) as http:
        stage = Stage(played.running.platform, "bad input", http, Console(file=io.StringIO()))
        office = await bad_input.prepare(stage, played.life)

        assert [wrong for case in bad_input.cases(office) for wrong in await bad_input.wrongly_said(case)] == []
        assert await bad_input.read_codes(stage) == {("VERIFY_RESULT_REFUSED", "VERIFY_DETAIL_UNSPECIFIED")}
        assert sorted(await bad_input.race(stage, office)) == ["", "BENEFIT_ALREADY_DETERMINED"]
