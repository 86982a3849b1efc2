"""Foreigners with a permanent residence card: that of 2017, which says neither century nor sex, and that of 2023."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel.errors import InvalidInput
from kernel.identity import make_resident_id
from tests.enrollment.builders import PARTNER, an_enrollment, day, number
from tests.enrollment.cover_builders import a_flexible

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

BIRTH = date(1984, 5, 6)
GIVEN: dict[str, Any] = {"birth_date": day(BIRTH), "sex": model.SEX_FEMALE}


def a_card_of_2017() -> str:
    """Country, place, YYMMDD, order and check character."""
    return f"DEU3206{BIRTH:%y%m%d}{number() % 100:02d}"


async def test_a_card_of_2017_enrols_with_birth_and_sex_beside_it(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    card = a_card_of_2017()
    request = an_enrollment(employer_id, id_no=card, post=model.POST_MANAGEMENT, **GIVEN)

    made = (await bureau.call("EnrollPerson", request)).enrollment

    found = await bureau.call("FindPerson", pb.FindPersonRequest(id_no=card), by=PARTNER)
    assert found.person.person_id == made.person_id
    rows = await bureau.rows("SELECT birth_date, sex, division FROM person")
    assert [tuple(row) for row in rows] == [(BIRTH, "female", "320600")]
    flexible = a_flexible(id_no=a_card_of_2017(), post=model.POST_MANAGEMENT, **GIVEN)
    assert (await bureau.call("EnrollFlexible", flexible)).person_created


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"birth_date": None, "sex": model.SEX_UNSPECIFIED}, "BIRTH_AND_SEX_NEEDED"),
        ({"birth_date": day(date(1984, 5, 7))}, "BIRTH_DATE"),
        ({"sex": model.SEX_UNSPECIFIED}, "BIRTH_AND_SEX_NEEDED"),
    ],
)
async def test_what_does_not_fit_a_card_is_named(bureau: Bureau, changes: dict[str, Any], cause: str) -> None:
    request = an_enrollment(await bureau.employer(), id_no=a_card_of_2017(), **{**GIVEN, **changes})

    with pytest.raises(InvalidInput) as refused:
        await bureau.call("EnrollPerson", request)

    assert (refused.value.reason, refused.value.metadata["cause"]) == ("ID_NO_INVALID", cause)


async def test_a_card_of_2023_says_everything_itself(bureau: Bureau) -> None:
    card = make_resident_id("932276", BIRTH, 124)

    made = (
        await bureau.call(
            "EnrollPerson", an_enrollment(await bureau.employer(), id_no=card, post=model.POST_MANAGEMENT)
        )
    ).enrollment

    assert made.person_id
    rows = await bureau.rows("SELECT birth_date, sex, division FROM person")
    assert [tuple(row) for row in rows] == [(BIRTH, "female", "932276")]
