"""The catalogue of problems: complete, without waste, and saying what to do next."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from chassis.problems import CODES
from kernel.errors import Busy, Conflict, InvalidInput, NotFound, Unauthenticated
from services.gateway.edge.catalogue import CatalogueWrong, Text, load, placeholders, read
from services.gateway.edge.problems import HTTP, Occurrence, Problems, language_of, pointer
from tools import reasons

PROBLEMS = load().problems
WHERE = Occurrence("zh", "/v1/x", "r-1", "0" * 32)
# Reasons that no line raises by name: gRPC's own states, and the one that stands for several.
IMPLICIT = {"CANCELLED", "INVALID_INPUT", "BODY_TOO_LARGE", "FILE_TOO_LARGE"}
EDGE_ONLY = {405, 408, 413, 431}


def all_texts() -> list[tuple[str, str, Text]]:
    """Every text with its code and language."""
    return [
        (code, language, text)
        for code, problem in PROBLEMS.items()
        for texts in (problem.texts, *problem.causes.values())
        for language, text in texts.items()
    ]


def test_every_reason_of_contract_and_code_has_its_problem() -> None:
    found = reasons.from_contract() | reasons.from_code()

    missing = {reason: sorted(places) for reason, places in found.items() if reason not in PROBLEMS}

    assert not missing


def test_no_problem_is_unused() -> None:
    found = reasons.from_contract().keys() | reasons.from_code().keys()

    assert PROBLEMS.keys() - found - IMPLICIT == set()


def test_every_problem_travels_as_the_kind_it_is_raised_as() -> None:
    codes = {kind.__name__: code.name for kind, code in CODES.items()}

    wrong = {
        reason: (PROBLEMS[reason].grpc, {codes[kind] for kind in found})
        for reason, found in reasons.kinds().items()
        if reason in PROBLEMS and {codes[kind] for kind in found} != {PROBLEMS[reason].grpc}
    }

    assert not wrong


def test_status_and_retry_follow_the_kind() -> None:
    by_name = {code.name: status for code, status in HTTP.items()}
    retryable = {code.name for kind, code in CODES.items() if issubclass(kind, Conflict | Busy)} | {
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "CANCELLED",
    }
    for problem in PROBLEMS.values():
        if problem.status not in EDGE_ONLY:
            assert problem.status == by_name[problem.grpc], problem.code
            assert problem.retryable == (problem.grpc in retryable), problem.code


def test_texts_are_short_and_say_what_to_do_next() -> None:
    for code, language, text in all_texts():
        for part in text.parts:
            assert part, code
            if language == "zh":
                assert len(part) <= 60, (code, part)
        if language == "zh":
            assert re.search(r"请|无需", text.hint), (code, text.hint)
        else:
            assert re.match(r"[A-Z][a-z]+", text.hint), (code, text.hint)
            assert text.hint.endswith("."), (code, text.hint)


def test_texts_have_no_codes_and_no_internal_names() -> None:
    inside = re.compile(r"\b[A-Z]{3,}_[A-Z]|PostgreSQL|gRPC|NATS|Transaction|_id\b|\bservices?\.")
    for code, _, text in all_texts():
        for part in text.parts:
            assert not inside.search(part), (code, part)


def test_chinese_texts_use_chinese_punctuation() -> None:
    for code, language, text in all_texts():
        if language == "zh":
            for part in text.parts[1:]:
                assert not re.search(r"[\u4e00-\u9fff][,;:!?]", part), (code, part)
                assert part.endswith("。"), (code, part)


def test_a_code_that_stands_twice_stops_the_start() -> None:
    with pytest.raises(CatalogueWrong, match="stands twice"):
        read("A_B: {}\nA_B: {}\n")


def test_an_entry_without_a_hint_stops_the_start() -> None:
    entry = "A_B:\n  wire: {status: 400, grpc: X, retryable: false}\n  zh: {title: a, detail: b}\n  en: {}\n"

    with pytest.raises(CatalogueWrong, match="A_B"):
        read(entry)


def test_the_printed_page_is_up_to_date() -> None:
    script = Path(reasons.__file__).with_name("errors_doc.py")

    assert subprocess.run([sys.executable, str(script), "--check"], check=False).returncode == 0


def test_a_reason_that_nobody_wrote_down_still_gets_a_text() -> None:
    answer = Problems(load()).answer(NotFound("BRAND_NEW_REASON", "x"), WHERE)

    body = orjson.loads(answer.body)
    assert (answer.status, body["code"]) == (404, "BRAND_NEW_REASON")
    assert body["detail"]
    assert body["hint"]


def test_values_that_could_forge_something_are_not_printed() -> None:
    error = InvalidInput("ID_NO_INVALID", "x", cause="CHECKSUM\u202e", name="ok")

    body = orjson.loads(Problems(load()).answer(error, WHERE).body)

    assert body["values"] == {"name": "ok"}


def test_a_text_tells_the_month_when_it_is_known() -> None:
    problem = PROBLEMS["MONTH_NOT_STARTED"]

    assert problem.text("zh", {"month": "2026-12"}).detail == "2026-12 还没有到，不能办理。"
    assert problem.text("zh", {"month": ""}).detail == problem.texts["zh"].detail
    assert problem.text("en", {}).detail == problem.texts["en"].detail


def test_only_the_detail_prints_values_and_both_languages_print_the_same() -> None:
    for code, problem in PROBLEMS.items():
        for texts in (problem.texts, *problem.causes.values()):
            for text in texts.values():
                assert not placeholders(text.title + text.hint), code
            assert placeholders(texts["zh"].exact) == placeholders(texts["en"].exact), code
            assert bool(texts["zh"].exact) == bool(texts["en"].exact), code


def test_a_stronger_login_is_asked_for_by_level() -> None:
    error = Unauthenticated("INSUFFICIENT_ACR", "x", acr="3")

    headers = dict(Problems(load()).answer(error, WHERE).headers)

    assert b'error="insufficient_user_authentication"' in headers[b"www-authenticate"]
    assert b'acr_values="3"' in headers[b"www-authenticate"]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh"),
        ("*", "zh"),
        ("fr", "zh"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.2, zh;q=0.9", "zh"),
        ("fr, en;q=0.1", "en"),
        ("en;q=x", "zh"),
        ("en;q=0", "zh"),
        ("e" * 10_000, "zh"),
    ],
)
def test_the_language_is_the_one_that_is_wanted_most(header: str, language: str) -> None:
    assert language_of(header) == language


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", ""),
        ("name", "/name"),
        ("payee.account", "/payee/account"),
        ("rows[3].id_no", "/rows/3/id_no"),
        ("/a", "/a"),
    ],
)
def test_a_field_of_a_service_becomes_a_pointer(field: str, expected: str) -> None:
    assert pointer(field) == expected
