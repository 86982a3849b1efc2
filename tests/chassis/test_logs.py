"""Logs: a canary identity that is logged by every kind of mistake appears nowhere."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from typing import Any

import asyncpg
import pytest
import structlog
from sqlalchemy.exc import IntegrityError

from chassis import logs
from chassis.config import Settings
from chassis.logs import bound, clean, configure, describe, get_logger
from kernel.errors import NotFound

CANARY = "990000198506154321"
NAME = "欧阳测试"
MOBILE = "13812345678"
CARD = "6222021234567890123"
PERSON = "per_0197a1b2c3d47e8f9012345678901234"


@pytest.fixture
def out() -> Any:
    """A stream that logs are written to; the set-up before is put back."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(Settings(service="enrollment"), stream=stream)
    yield stream
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_event_fields_and_what_is_bound(out: io.StringIO) -> None:
    with bound(request_id="req-1", rpc="/a/B"):
        get_logger("chassis.x").info("card_issued", card_id="crd_1")

    (line,) = lines(out)
    assert (line["event"], line["card_id"], line["request_id"], line["rpc"]) == (
        "card_issued",
        "crd_1",
        "req-1",
        "/a/B",
    )
    assert (line["service"], line["module"], line["level"]) == ("enrollment", "chassis.x", "info")


@pytest.mark.parametrize("value", [CANARY, CANARY[:-1] + "X", int(CANARY), MOBILE, f"+86 {MOBILE}", CARD])
def test_numbers_of_persons_are_replaced_in_any_value(value: object) -> None:
    for wrapped in (value, f"text {value} text", {"any": [value]}, (str(value),), {f"k{value}"[:1]: {"deep": value}}):
        assert str(value)[-11:] not in str(clean(wrapped))


@pytest.mark.parametrize("text", [CANARY.translate({ord("0") + d: 0xFF10 + d for d in range(10)}), f"id={CANARY},"])
def test_disguised_numbers_are_replaced_too(text: str) -> None:
    assert clean(text) != text
    assert CANARY not in clean(text)


@pytest.mark.parametrize("value", [PERSON, "2025-11-23", 41001, "req_01", 1764000000123, "a" * 64, 0.25, None, True])
def test_ids_and_plain_values_stay(value: object) -> None:
    assert clean(value) == value


def test_fields_with_personal_names_are_replaced_whatever_they_hold(out: io.StringIO) -> None:
    get_logger("x").info("seen", name=NAME, phone="0513-1", nested={"id_number": "1", "inner": {"account_no": "2"}})

    (line,) = lines(out)
    assert line["name"] == line["phone"] == logs.REDACTED
    assert line["nested"] == {"id_number": logs.REDACTED, "inner": {"account_no": logs.REDACTED}}


def fail(id_number: str, name: str) -> None:
    local_copy = id_number + name
    raise ValueError(f"cannot read {local_copy}")


def test_an_exception_shows_places_but_no_values(out: io.StringIO) -> None:
    try:
        fail(CANARY, NAME)
    except ValueError as error:
        try:
            raise RuntimeError(f"while saving {NAME} {MOBILE}") from error
        except RuntimeError:
            get_logger("x").exception("save_failed")

    text = out.getvalue()
    assert not any(secret in text for secret in (CANARY, NAME, MOBILE, "local_copy"))
    assert "test_logs.py" in text
    assert [one["error"].partition(":")[0] for one in lines(out)[0]["exception"]] == ["RuntimeError", "ValueError"]


def test_texts_of_database_drivers_are_dropped(out: io.StringIO) -> None:
    driver = asyncpg.UniqueViolationError(f"Key (id_number)=({CANARY} Li Lei) already exists")
    wrapped = IntegrityError("INSERT …", {"name": "Li Lei"}, driver)

    get_logger("x").error("insert_failed", error=wrapped)

    assert "Li Lei" not in out.getvalue()
    assert "sqlstate=23505" in out.getvalue()


def test_a_refusal_keeps_its_reason() -> None:
    assert describe(NotFound("PERSON_NOT_FOUND", "no such person")) == "NotFound: PERSON_NOT_FOUND: no such person"


def test_loggers_of_libraries_go_through_the_same_nets(out: io.StringIO) -> None:
    try:
        fail(CANARY, NAME)
    except ValueError:
        logging.getLogger("some.package").warning("failed for %s %s", CANARY, NAME, exc_info=True)

    (line,) = lines(out)
    assert (line["event"], line["module"]) == ("library_log", "some.package")
    assert CANARY not in out.getvalue()
    assert NAME not in out.getvalue()


UNCAUGHT = f"""
import threading
from chassis import logs
from chassis.config import Settings
logs.configure(Settings(service="enrollment"))
class Sticky:
    def __del__(self): raise ValueError("finalizer {CANARY}")
thread = threading.Thread(target=lambda: int("thread {CANARY}"))
thread.start(); thread.join()
del [Sticky()][0]
raise KeyError("main {CANARY}")
"""


def test_what_nobody_caught_goes_through_the_nets_too() -> None:
    done = subprocess.run([sys.executable, "-c", UNCAUGHT], capture_output=True, text=True, check=False)

    kinds = [json.loads(line)["exception"][0]["error"].split()[0] for line in done.stderr.splitlines()]
    assert kinds == ["ValueError:", "ValueError:", "KeyError:"]
    assert CANARY not in done.stderr
    assert done.returncode == 1


def test_a_log_line_cannot_be_forged(out: io.StringIO) -> None:
    get_logger("x").info("seen", text='a\n{"event":"forged"}')

    assert len(out.getvalue().splitlines()) == 1
