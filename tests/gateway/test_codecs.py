"""The compiled codecs equal protobuf's own JSON mapping, with four scalar types, for every public message."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from hrss.enrollment.v1 import enrollment_pb2, enrollment_service_pb2
from hrss.type.v1 import calendar_pb2, money_pb2
from services.gateway.edge.decoder import Decoder
from services.gateway.edge.encoder import Encoder
from tests.gateway.echo import filled
from tests.gateway.messages import given, messages, public_messages, reference

MESSAGES = public_messages()
ENCODER, DECODER = Encoder(), Decoder()
SOME = settings(max_examples=4, deadline=None, database=None, suppress_health_check=list(HealthCheck))
MANY = settings(SOME, max_examples=4_000)
every_message = pytest.mark.parametrize("name", MESSAGES)


@every_message
def test_an_empty_message_is_written_as_protobuf_writes_it(name: str) -> None:
    message = GetMessageClass(MESSAGES[name])()

    assert json.loads(ENCODER.encode(message)) == reference(message)


@every_message
def test_a_full_message_is_written_as_protobuf_writes_it(name: str) -> None:
    message = filled(GetMessageClass(MESSAGES[name]))

    assert json.loads(ENCODER.encode(message)) == reference(message)


@every_message
@SOME
@for_all(data=st.data())
def test_any_message_is_written_as_protobuf_writes_it_and_read_back(name: str, data: st.DataObject) -> None:
    assert_same_both_ways(name, data.draw(messages(MESSAGES[name])))


@pytest.mark.slow
@pytest.mark.timeout(600)
@MANY
@for_all(data=st.data())
def test_many_messages_are_written_as_protobuf_writes_them_and_read_back(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(MESSAGES)))
    assert_same_both_ways(name, data.draw(messages(MESSAGES[name])))


def assert_same_both_ways(name: str, message: Any) -> None:
    """Both mappings write the same, and what was written is read back."""
    text = ENCODER.encode(message)
    assert json.loads(text) == reference(message)

    read: Any = GetMessageClass(MESSAGES[name])()
    DECODER.read(read, orjson.dumps(given(json.loads(text))))
    # An enum's zero value and an empty list mean "not given", so what is read back prints the same.
    assert json.loads(ENCODER.encode(read)) == json.loads(text)
    assert read == message


def test_an_enum_value_of_a_newer_service_goes_out_as_its_number() -> None:
    message = enrollment_pb2.Person.FromString(enrollment_pb2.Person(sex=enrollment_pb2.SEX_MALE).SerializeToString())
    message = enrollment_pb2.Person.FromString(bytes([5 << 3, 9]))

    assert json.loads(ENCODER.encode(message))["sex"] == 9


@pytest.mark.parametrize(
    ("fen", "text"),
    [(0, "0.00"), (1, "0.01"), (-1, "-0.01"), (-100, "-1.00"), (-1234, "-12.34"), (10**15, "10000000000000.00")],
)
def test_money_is_written_in_yuan(fen: int, text: str) -> None:
    employer = enrollment_pb2.DeclaredWage(wage=money_pb2.Money(fen=fen))

    assert json.loads(ENCODER.encode(employer))["wage"] == text


def test_zero_is_an_amount_and_absence_is_none() -> None:
    zero: Any = enrollment_service_pb2.DeclareWageRequest()
    DECODER.read(zero, b'{"wage": "0.00"}')
    none: Any = enrollment_service_pb2.DeclareWageRequest()
    DECODER.read(none, b'{"wage": null}')

    assert zero.HasField("wage")
    assert not none.HasField("wage")


def test_dates_keep_their_zeros() -> None:
    employer = enrollment_pb2.Employer(register_date=calendar_pb2.Date(year=1800, month=1, day=2))

    assert json.loads(ENCODER.encode(employer))["register_date"] == "1800-01-02"
