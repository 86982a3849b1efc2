"""Bad input at the edge: each wrong value has a reason, and a text in both languages that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from hrss.enrollment.v1 import enrollment_pb2 as register
from hrss.type.v1.calendar_pb2 import Date, Month
from hrss.type.v1.money_pb2 import Money, Rate
from kernel.errors import DomainError
from services.benefits.service import build
from services.gateway.edge.catalogue import load
from services.gateway.edge.problems import Occurrence, Problems
from tests.benefits.kinds_requests import Counter, day, month, yuan
from tests.benefits.test_kinds import GOVERNMENT, RESIDENT, dead, worker
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from chassis.database import Database
    from tests.benefits.builders import Enrollment

BIG, NEGATIVE, MOST = Money(fen=2**62), Money(fen=-100), 2**31 - 1


async def people(enrollment: Enrollment) -> dict[str, dict[str, Any]]:
    """Somebody for each kind, with a request about them in which nothing is wrong."""
    woman = await enrollment.person("1970-01-01", register.SEX_FEMALE)
    await enrollment.paid(woman, "1998-01", "2026-06")
    official = await enrollment.person()
    await enrollment.hired(official, "2014-10", schemes=GOVERNMENT)
    await enrollment.paid(official, "2011-08", "2026-07", "9000", schemes=GOVERNMENT)
    resident = await enrollment.person("1960-02-10")
    await enrollment.hired(resident, "2014-10", schemes=RESIDENT)
    gone = await enrollment.person("1965-01-01")
    await enrollment.paid(gone, "1993-01", "2024-12")
    await dead(enrollment, gone, "2025-05-05")
    man, hurt = await enrollment.about_to_retire(), await worker(enrollment, base="6000.00")
    return {
        "man": {"person_id": man},
        "woman": {"person_id": woman},
        "jobless": {"person_id": await enrollment.unemployed()},
        "gov": {
            "person_id": official,
            "retirement_date": day("2026-07-10"),
            "joined_date": day("2014-10-08"),
            "balance": yuan("80000.00"),
            "annuity_balance": yuan("250.00"),
        },
        "hurt": {"person_id": hurt},
        "inj": {
            "person_id": hurt,
            "event_date": day("2025-03-10"),
            "appraisal_date": day("2025-08-20"),
            "grade": 3,
        },
        "r": {"person_id": resident, "balance": yuan("20850.00"), "full_years": 15},
        "gone": {"person_id": gone},
        "sv": {"person_id": gone, "death_date": day("2025-05-05")},
        "dis": {"person_id": man, "claim_date": day("2026-06-10"), "capacity_lost": True},
    }


def wrong(who: dict[str, dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    """RPC, the reason that it refuses with, and the request."""
    man, woman, jobless, gov, hurt, inj, r, gone, sv, dis = who.values()
    return [
        ("PreparePension", "TOO_EARLY", man | {"retirement_month": Month(year=1950, month=1)}),
        ("PreparePension", "TOO_LATE", man | {"retirement_month": Month(year=9999, month=12)}),
        ("PreparePension", "MONTH_IMPOSSIBLE", man | {"retirement_month": Month(year=2026, month=13)}),
        ("PreparePension", "MONTH_IMPOSSIBLE", man | {"retirement_month": Month(year=-5, month=1)}),
        ("PreparePension", "ENUM_UNKNOWN", man | {"track": 99}),
        ("PreparePension", "TRACK_INVALID", man | {"track": 2}),
        ("PreparePension", "TRACK_UNKNOWN", woman),
        ("PreparePension", "MONEY_OUT_OF_RANGE", man | {"old_transitional": NEGATIVE}),
        ("PreparePension", "MONEY_OUT_OF_RANGE", man | {"old_transitional": BIG}),
        ("PrepareUnemployment", "REGISTRATION_DATE_INVALID", jobless | {"registration_date": day("1900-01-01")}),
        ("PrepareUnemployment", "REGISTRATION_DATE_INVALID", jobless | {"registration_date": day("2026-12-31")}),
        ("PrepareUnemployment", "DATE_IMPOSSIBLE", jobless | {"registration_date": Date(year=2025, month=2, day=30)}),
        (
            "PrepareUnemployment",
            "CARRIED_MONTHS_INVALID",
            jobless | {"registration_date": day("2025-07-03"), "carried_months": -1},
        ),
        (
            "PrepareUnemployment",
            "CARRIED_MONTHS_INVALID",
            jobless | {"registration_date": day("2025-07-03"), "carried_months": MOST},
        ),
        ("PrepareGovernmentPension", "TOO_EARLY", gov | {"retirement_date": day("1950-01-01")}),
        ("PrepareGovernmentPension", "RETIREMENT_NOT_REACHED", gov | {"retirement_date": day("2099-01-01")}),
        ("PrepareGovernmentPension", "RETIRED_BEFORE_JOINING", gov | {"joined_date": day("2027-01-01")}),
        ("PrepareGovernmentPension", "DEEMED_INDEX_MISSING", gov | {"joined_date": day("1901-01-01")}),
        ("PrepareGovernmentPension", "MONEY_OUT_OF_RANGE", gov | {"balance": NEGATIVE}),
        ("PrepareGovernmentPension", "MONEY_OUT_OF_RANGE", gov | {"balance": BIG}),
        ("PrepareGovernmentPension", "MONEY_OUT_OF_RANGE", gov | {"annuity_balance": NEGATIVE}),
        ("PrepareGovernmentPension", "MONEY_OUT_OF_RANGE", gov | {"annuity_balance": BIG}),
        ("PrepareGovernmentPension", "COUNT_OUT_OF_RANGE", gov | {"deemed_months": -1}),
        (
            "PrepareGovernmentPension",
            "COUNT_OUT_OF_RANGE",
            gov | {"deemed_months": MOST, "deemed_index": Rate(decimal="1.0")},
        ),
        (
            "PrepareGovernmentPension",
            "RATE_MALFORMED",
            gov | {"deemed_months": 12, "deemed_index": Rate(decimal="-1.0")},
        ),
        (
            "PrepareGovernmentPension",
            "RATE_MALFORMED",
            gov | {"deemed_months": 12, "deemed_index": Rate(decimal="1e999")},
        ),
        (
            "PrepareGovernmentPension",
            "RATE_MALFORMED",
            gov | {"deemed_months": 12, "deemed_index": Rate(decimal="NaN")},
        ),
        ("PrepareResidentPension", "COUNT_OUT_OF_RANGE", r | {"full_years": -1}),
        ("PrepareResidentPension", "COUNT_OUT_OF_RANGE", r | {"full_years": MOST}),
        ("PrepareResidentPension", "COUNT_OUT_OF_RANGE", r | {"full_years": 100}),
        ("PrepareResidentPension", "MONEY_OUT_OF_RANGE", r | {"balance": NEGATIVE}),
        ("PrepareResidentPension", "MONEY_OUT_OF_RANGE", r | {"balance": BIG}),
        ("PrepareResidentPension", "POLICY_PARAMETER_MISSING", r | {"first_month": month("1950-01")}),
        ("PrepareResidentPension", "RETIREMENT_NOT_REACHED", r | {"first_month": month("2100-01")}),
        ("PrepareDisabilityAllowance", "NO_CONTRIBUTIONS", dis | {"claim_date": day("1900-01-01")}),
        ("PrepareDisabilityAllowance", "DATES_OUT_OF_ORDER", dis | {"claim_date": day("2027-01-01")}),
        ("PrepareDisabilityAllowance", "CAPACITY_NOT_LOST", dis | {"capacity_lost": False}),
        ("PrepareInjury", "INJURY_GRADE_INVALID", inj | {"grade": 0}),
        ("PrepareInjury", "INJURY_GRADE_INVALID", inj | {"grade": 11}),
        ("PrepareInjury", "INJURY_GRADE_INVALID", inj | {"grade": -1}),
        ("PrepareInjury", "NO_PARTICIPATION", inj | {"event_date": day("1900-01-01")}),
        ("PrepareInjury", "DATES_OUT_OF_ORDER", inj | {"appraisal_date": day("2025-01-01")}),
        ("PrepareInjury", "DATES_OUT_OF_ORDER", inj | {"appraisal_date": day("2027-01-01")}),
        ("PrepareInjury", "MONEY_OUT_OF_RANGE", inj | {"average_base": NEGATIVE}),
        ("PrepareInjury", "MONEY_OUT_OF_RANGE", inj | {"average_base": BIG}),
        ("PrepareInjury", "ENUM_UNKNOWN", inj | {"nursing": 99}),
        ("PrepareSurvivors", "DRAWN_MONTHS_INVALID", sv | {"drawn_months": -1}),
        ("PrepareSurvivors", "DRAWN_MONTHS_INVALID", sv | {"drawn_months": MOST}),
        ("PrepareSurvivors", "MONEY_OUT_OF_RANGE", sv | {"own_contributions": NEGATIVE}),
        ("PrepareSurvivors", "DEATH_DATE_DIFFERS", sv | {"death_date": day("1900-01-01")}),
        ("PrepareSurvivors", "DEATH_NOT_KNOWN", man | {"death_date": day("2025-05-05")}),
        (
            "PrepareResidentFuneral",
            "MONEY_OUT_OF_RANGE",
            gone | {"death_date": day("2025-05-05"), "balance_left": NEGATIVE},
        ),
        (
            "PrepareInjuryMedicalGrant",
            "DATES_OUT_OF_ORDER",
            hurt | {"event_date": day("2024-03-10"), "end_date": day("2024-01-01"), "grade": 7, "cause": 1},
        ),
        (
            "PrepareInjuryMedicalGrant",
            "ENUM_UNKNOWN",
            hurt | {"event_date": day("2024-03-10"), "end_date": day("2025-09-30"), "grade": 7, "cause": 77},
        ),
        ("PrepareWorkDeath", "DEATH_DATE_DIFFERS", gone | {"event_date": day("1900-05-05")}),
    ]


async def test_every_wrong_value_is_named_in_both_languages(database: Database, enrollment: Enrollment) -> None:
    problems = Problems(load())
    who = await people(enrollment)
    async with serve(build(database.settings), database=database) as running:
        counter = Counter(running)
        for rpc, reason, values in wrong(who):
            with pytest.raises(DomainError) as caught:
                await counter.call(rpc, **values)
            assert caught.value.reason == reason, (rpc, values)
            texts = []
            for language in ("zh", "en"):
                where = Occurrence(language, "/v1/determinations", "r-1", "0" * 32)
                body = orjson.loads(problems.answer(caught.value, where).body)
                assert body["code"] == reason
                assert all(body[part] and "{" not in body[part] for part in ("title", "detail", "hint")), body
                texts.append(body["hint"])
            assert texts[0] != texts[1]
    assert await _nothing_was_kept(database)


async def _nothing_was_kept(database: Database) -> bool:
    return not await owner_fetch(database, "SELECT 1 FROM determination")
