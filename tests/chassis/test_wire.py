"""Hostile requests: every one is refused with a reason and the path of the field, none reaches a handler."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.wire import TEXT_MAX, parse
from kernel.errors import InvalidInput
from tests.chassis.echo import pb


def refusal(message: Any) -> tuple[str, str]:
    data = message if isinstance(message, bytes) else message.SerializeToString()
    with pytest.raises(InvalidInput) as caught:
        parse(pb.TakeNoteRequest, data)
    return caught.value.reason, caught.value.field


def test_a_good_request_is_read_as_it_is() -> None:
    message = pb.TakeNoteRequest(
        text="张㼆·𬭼", mood=1, lines=[pb.Line(text="a", mood=1)], tags={"k": pb.Line(text="v")}, moods=[1, 0]
    )

    assert parse(pb.TakeNoteRequest, message.SerializeToString()) == message


@pytest.mark.parametrize(
    "character",
    ["\x00", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u200b", "\u200d", "\u202e", "\u2028", "\u2066", "\ufeff"],
)
def test_characters_that_deceive_are_refused(character: str) -> None:
    text = f"a{character}b"

    assert refusal(pb.TakeNoteRequest(text=text)) == ("CHARACTER_NOT_ALLOWED", "text")
    assert refusal(pb.TakeNoteRequest(lines=[pb.Line(), pb.Line(text=text)])) == (
        "CHARACTER_NOT_ALLOWED",
        "lines[1].text",
    )
    assert refusal(pb.TakeNoteRequest(tags={text: pb.Line()}))[0] == "CHARACTER_NOT_ALLOWED"
    assert refusal(pb.TakeNoteRequest(tags={"k": pb.Line(text=text)})) == ("CHARACTER_NOT_ALLOWED", "tags[].text")


def test_a_text_has_a_limit_in_characters() -> None:
    assert parse(pb.TakeNoteRequest, pb.TakeNoteRequest(text="𬭼" * TEXT_MAX).SerializeToString())
    assert refusal(pb.TakeNoteRequest(text="x" * (TEXT_MAX + 1))) == ("TEXT_TOO_LONG", "text")


def test_numbers_that_an_enum_does_not_have_are_refused() -> None:
    assert refusal(pb.TakeNoteRequest(mood=7)) == ("ENUM_UNKNOWN", "mood")
    assert refusal(pb.TakeNoteRequest(moods=[1, 9])) == ("ENUM_UNKNOWN", "moods[1]")
    assert refusal(pb.TakeNoteRequest(lines=[pb.Line(mood=-1)])) == ("ENUM_UNKNOWN", "lines[0].mood")


def test_fields_that_the_contract_does_not_have_are_refused() -> None:
    unknown = b"\xba\x3e\x01x"  # field 999, a text

    assert refusal(unknown) == ("FIELD_UNKNOWN", "")
    assert refusal(b"\x2a" + bytes([len(unknown)]) + unknown) == ("FIELD_UNKNOWN", "lines[0]")


@pytest.mark.parametrize(
    "data", [b"\xff", b"\x1a\x05ab", b"\x1a\x02\xff\xfe", b"\x0a\xff\xff\xff\xff\x0f", b"{}", b"\x0b" * 200]
)
def test_garbage_is_refused(data: bytes) -> None:
    assert refusal(data)[0] in {"MALFORMED_REQUEST", "FIELD_UNKNOWN"}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        message = parse(pb.TakeNoteRequest, data)
    except InvalidInput:
        return
    assert "\x00" not in message.text  # type: ignore[attr-defined]  # a message of the test contract
