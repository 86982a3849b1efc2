"""What no honest client sends: each is refused with its reason and a pointer, quickly."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from chassis import wire
from hrss.benefits.v1 import benefits_service_pb2
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel.errors import InvalidInput
from services.gateway.edge.decoder import Decoder, Notes
from services.gateway.edge.scalars import FORBIDDEN

DECODER = Decoder()
CLOSED = frozenset({"request_id", "requestId"})


def refusal(body: bytes, message: Any = None) -> InvalidInput:
    """How a body is refused."""
    with pytest.raises(InvalidInput) as caught:
        DECODER.read(message if message is not None else pb.EnrollPersonRequest(), body, CLOSED)
    return caught.value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "BODY_REQUIRED"),
        (b" \n ", "BODY_REQUIRED"),
        (b"[]", "BODY_NOT_OBJECT"),
        (b"null", "BODY_NOT_OBJECT"),
        (b'"text"', "BODY_NOT_OBJECT"),
        (b"\xef\xbb\xbf{}", "MALFORMED_JSON"),
        ("{}".encode("utf-16"), "MALFORMED_JSON"),
        ("{}".encode("utf-16-le"), "MALFORMED_JSON"),
        (b"{} {}", "MALFORMED_JSON"),
        (b"{}]", "MALFORMED_JSON"),
        (b'{"name": NaN}', "MALFORMED_JSON"),
        (b'{"name": Infinity}', "MALFORMED_JSON"),
        (b'{"name": 1e400}', "MALFORMED_JSON"),
        (b"{'name': 1}", "MALFORMED_JSON"),
        (b'{"name": "a",}', "MALFORMED_JSON"),
        (b'{"name": "\xff"}', "MALFORMED_JSON"),
        (b'{"name": "\\ud800"}', "MALFORMED_JSON"),
        (b'{"name": "a\x00b"}', "MALFORMED_JSON"),
        (b'{"name": ' + b"[" * 5000 + b"]" * 5000 + b"}", "MALFORMED_JSON"),
        (b'{"name": ' + b"[" * 33 + b"]" * 33 + b"}", "WRONG_TYPE"),
        (b'{"name": ' + b'{"a":' * 33 + b"1" + b"}" * 33 + b"}", "WRONG_TYPE"),
        (b'{"name": "a", "name": "b"}', "DUPLICATE_KEY"),
        (b'{"name": "a", "n\\u0061me": "b"}', "DUPLICATE_KEY"),
        (b'{"id_no": "a", "idNo": "b"}', "DUPLICATE_KEY"),
        (b'{"request_id": "mine"}', "UNKNOWN_FIELD"),
        (b'{"requestId": "mine"}', "UNKNOWN_FIELD"),
    ],
)
def test_a_body_that_is_no_honest_json_is_refused(body: bytes, reason: str) -> None:
    assert refusal(body).reason == reason


def test_a_name_that_stands_twice_inside_is_found() -> None:
    body = b'{"payee": {"name": "a", "account": "1", "name": "b"}}'

    assert refusal(body, benefits_service_pb2.PreparePensionRequest()).reason == "DUPLICATE_KEY"


def test_quotes_and_colons_inside_texts_are_no_names() -> None:
    request = pb.EnrollPersonRequest()

    DECODER.read(request, b'{"name": "a\\": \\"b", "phone" : ":", "id_no":"\\\\"}', CLOSED)

    assert (request.name, request.phone, request.id_no) == ('a": "b', ":", "\\")


@pytest.mark.parametrize(
    "value",
    [
        "12",
        "12.3",
        "12.345",
        "1_000.00",
        " 12.00",
        "12.00\n",
        "+5.00",
        "0x10",
        "1e3",
        "１２.００",
        "١٢.00",
        "012.00",
        "-0.00",
        "",
        "9" * 14 + ".00",
        "9" * 5000 + ".00",
        12,
        12.34,
        True,
        {"fen": 1},
        ["12.00"],
        "NaN",
        ".50",
        "--1.00",
    ],
)
def test_money_is_a_string_of_yuan_with_two_decimals(value: Any) -> None:
    error = refusal(orjson.dumps({"wage": value}))

    assert (error.violations[0].field, error.violations[0].reason) == ("/wage", "MONEY_MALFORMED")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("2026-13", "MONTH_IMPOSSIBLE"),
        ("2026-00", "MONTH_IMPOSSIBLE"),
        ("0000-01", "MONTH_IMPOSSIBLE"),
        ("1799-12", "MONTH_IMPOSSIBLE"),
        ("2026-2", "MONTH_MALFORMED"),
        ("10000-01", "MONTH_MALFORMED"),
        ("202602", "MONTH_MALFORMED"),
        ("2026-02\n", "MONTH_MALFORMED"),
        ("２０２６-02", "MONTH_MALFORMED"),
        (202602, "MONTH_MALFORMED"),
        ({"year": 2026, "month": 2}, "MONTH_MALFORMED"),
    ],
)
def test_a_month_has_one_form(value: Any, reason: str) -> None:
    assert refusal(orjson.dumps({"start_month": value})).violations[0].reason == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("2026-02-30", "DATE_IMPOSSIBLE"),
        ("2026-02-29", "DATE_IMPOSSIBLE"),
        ("1799-12-31", "DATE_IMPOSSIBLE"),
        ("20260228", "DATE_MALFORMED"),
        ("2026-2-8", "DATE_MALFORMED"),
        ("2026-02-28T00:00:00Z", "DATE_MALFORMED"),
        (" 2026-02-28", "DATE_MALFORMED"),
        (20260228, "DATE_MALFORMED"),
    ],
)
def test_a_date_has_one_form(value: Any, reason: str) -> None:
    assert refusal(orjson.dumps({"paid_date": value}), pb.RecordReceiptRequest()).violations[0].reason == reason


@pytest.mark.parametrize("value", ["8 %", "1e-2", "0,08", ".08", "0.", "+1.00", "１.00", "Infinity", 0.08, 1, True])
def test_a_rate_is_a_decimal_string(value: Any) -> None:
    error = refusal(orjson.dumps({"injury_step": value}), pb.RegisterEmployerRequest())

    assert error.violations[0].reason == "RATE_MALFORMED"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (True, "WRONG_TYPE"),
        (1.0, "WRONG_TYPE"),
        ("3", "WRONG_TYPE"),
        ([3], "WRONG_TYPE"),
        (2**31, "NUMBER_OUT_OF_RANGE"),
        (-(2**31) - 1, "NUMBER_OUT_OF_RANGE"),
        (2**64 - 1, "NUMBER_OUT_OF_RANGE"),
    ],
)
def test_a_whole_number_is_a_whole_number(value: Any, reason: str) -> None:
    error = refusal(orjson.dumps({"injury_class": value}), pb.RegisterEmployerRequest())

    assert error.violations[0].reason == reason


def test_a_number_of_a_thousand_digits_is_none() -> None:
    error = refusal(b'{"injury_class": ' + b"9" * 1000 + b"}", pb.RegisterEmployerRequest())

    assert error.reason in {"WRONG_TYPE", "MALFORMED_JSON"}


@pytest.mark.parametrize("value", [1, 99, "POST_UNSPECIFIED", "post_management", "POST_MANAGEMENT ", "", True])
def test_a_choice_is_made_by_name(value: Any) -> None:
    assert refusal(orjson.dumps({"post": value})).violations[0].reason == "ENUM_UNKNOWN"


@pytest.mark.parametrize("value", [0, 1, "true", [], {}])
def test_true_and_false_are_not_spelled_otherwise(value: Any) -> None:
    error = refusal(orjson.dumps({"simulated": value}), pb.RecordReceiptRequest())

    assert error.violations[0].reason == "WRONG_TYPE"


@pytest.mark.parametrize(
    "character", ["\u0000", "\n", "\u007f", "\u0085", "\u200b", "\u202e", "\u2028", "\ufeff", "\u2066"]
)
def test_invisible_characters_are_refused(character: str) -> None:
    error = refusal(orjson.dumps({"name": f"张{character}三"}))

    assert (error.reason, error.violations[0].field) == ("CHARACTER_NOT_ALLOWED", "/name")


def test_the_edge_refuses_every_character_that_services_refuse() -> None:
    for code in range(0x110000):
        if wire._FORBIDDEN.search(chr(code)):
            assert FORBIDDEN.search(chr(code)), hex(code)


@pytest.mark.parametrize("name", ["㼆", "䶮", "\U00030edd", "阿卜杜拉·买买提", "a" * 4096])
def test_rare_and_long_names_pass_whole(name: str) -> None:
    request = pb.EnrollPersonRequest()
    DECODER.read(request, orjson.dumps({"name": name}))

    assert request.name == name


def test_a_text_has_a_limit() -> None:
    assert refusal(b'{"name": "' + b"a" * 4097 + b'"}').reason == "TEXT_TOO_LONG"


def test_every_wrong_field_is_told_at_once() -> None:
    error = refusal(b'{"wage": 1, "start_month": "x", "colour": "red", "post": 7}')

    assert error.reason == "INVALID_INPUT"
    assert {violation.field for violation in error.violations} == {"/wage", "/start_month", "/colour", "/post"}


def test_a_pointer_escapes_what_it_must_and_shows_nothing_strange() -> None:
    error = refusal(b'{"a/b~c\\u202e": 1}')

    assert error.violations[0].field == "/a~1b~0c?"


def test_a_parameter_of_the_query_is_read_as_strictly() -> None:
    notes = Notes()
    for text in ("１２", "1_000", " 12", "+5", "0x10", "1e3", "012", "-0"):
        DECODER.set_text(pb.ListBillsRequest(), "page_size", text, notes)
    DECODER.set_text(pb.ListBillsRequest(), "state", "BILL_STATE_OPEN", notes)

    assert [violation.reason for violation in notes.violations] == ["WRONG_TYPE"] * 8 + ["ENUM_UNKNOWN"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"name": "' + b"\\u0041" * 170_000 + b'"}',
        b'{"name": "' + b'\\"' * 500_000 + b'"}',
        b"{" + b",".join(b'"k%d":1' % number for number in range(90_000)) + b"}",
        b'{"name": "a"' + b" " * 1_000_000 + b"}",
        b'{"name": [' + b"{}," * 300_000 + b"{}]}",
    ],
    ids=["brackets", "braces", "escapes", "quotes", "names", "blanks", "objects"],
)
def test_a_hostile_megabyte_is_answered_in_milliseconds(body: bytes) -> None:
    began = time.process_time()
    try:
        DECODER.read(pb.EnrollPersonRequest(), body, CLOSED)
    except InvalidInput as error:
        assert len(error.violations) <= 20  # noqa: PT017 - whether it is refused is not the point here
    assert time.process_time() - began < 0.25
