"""Amounts and days in words, fields as the contract wants them, statements with each row of law once."""

from __future__ import annotations

import pytest

from services.gateway.portal.forms import Field, Filled
from services.gateway.portal.statements import explained
from services.gateway.portal.texts import Texts
from services.gateway.portal.words import Words

ZH, EN = Words(Texts("zh")), Words(Texts("en"))
SPACE = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("1234567.80", f"¥{SPACE}1,234,567.80"),
        ("-12.30", f"\N{MINUS SIGN}¥{SPACE}12.30"),
        ("0.00", f"¥{SPACE}0.00"),
        ("", ""),
    ],
)
def test_an_amount_has_its_thousands(amount: str, shown: str) -> None:
    assert ZH.money(amount) == shown


def test_months_days_and_instants_read_as_people_say_them() -> None:
    assert (ZH.month("2026-08"), EN.month("2026-08")) == ("2026年8月", "August 2026")
    assert (ZH.day("2026-08-03"), EN.day("2026-08-03")) == ("2026年8月3日", "3 August 2026")
    assert EN.instant("2026-08-03T16:30:00Z") == "4 August 2026 00:30"
    assert ZH.case_number("3206022026110810000174") == "320602-20261108-1-000017-4"


@pytest.mark.parametrize(
    ("kind", "typed", "sent"),
    [
        ("month", "2026/7", "2026-07"),
        ("month", "２０２６．０７", "2026-07"),
        ("date", "2026-8-3", "2026-08-03"),
        ("money", "¥6,200.00", "6200.00"),
        ("account", "6222 0212 3456 7890", "6222021234567890"),
        ("id_no", "99000019900315123x", "99000019900315123X"),
        ("name", "欧阳 娜", "欧阳 娜"),
    ],
)
def test_a_field_reads_what_people_type(kind: str, typed: str, sent: str) -> None:
    field = Field("form.x", kind, "apply.wage")  # type: ignore[arg-type] # each is one of the kinds

    assert field.read(typed) == sent


def test_a_form_becomes_the_body_of_the_api() -> None:
    fields = (
        Field(
            "form.card_loss.lift", "choice", "apply.loss_or_lift", choices=("a", "b"), sends=(("a", False), ("b", True))
        ),
        Field("form.card.consent", "consent", "apply.consent"),
        Field("form.pension.retirement_month", "month", "apply.retirement_month", required=False),
    )

    filled = Filled.of(fields, {"form.card_loss.lift": "a", "form.card.consent": "true"}, Texts("en"))

    assert filled.errors == {}
    assert filled.body() == {"form": {"card_loss": {"lift": False}, "card": {"consent": True}}}


def test_a_choice_that_was_not_offered_is_an_error() -> None:
    field = Field("reason", "choice", "apply.end_reason", choices=("END_REASON_RESIGNED",))

    filled = Filled.of((field,), {"reason": "END_REASON_DIED"}, Texts("en"))

    assert filled.summary == {"reason": 'Choose "Why it ends"'}


def test_a_row_of_law_that_was_used_often_stands_once() -> None:
    use = {"file": "f", "key": "index_base", "value": "1", "effective": "2025-01-01..", "confidence": "likely"}
    line = {
        "title_zh": "甲",
        "title_en": "A",
        "inputs": [{"name": "months", "value": "3"}, {"name": "unheard_of", "value": "4"}],
        "parameters": [{**use, "sources": ["S"], "provisional": False}] * 30,
    }

    shown = explained({"lines": [line], "total": "1.00"}, Texts("en"))

    assert shown is not None
    assert shown["lines"][0]["title"] == "A"
    assert shown["lines"][0]["inputs"] == [("Contribution months", "3"), ("unheard_of", "4")]
    assert [(one.name, len(one.values)) for one in shown["lines"][0]["parameters"]] == [("Index base by year", 1)]
    assert explained(None, Texts("en")) is None
