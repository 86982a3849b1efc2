"""Ids sort by creation and show their type."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from kernel.errors import InvalidInput
from kernel.ids import new_id, parse, to_text


def test_ids_are_version_7_and_only_rise() -> None:
    ids = [new_id() for _ in range(10_000)]

    assert ids == sorted(set(ids))
    assert all(value.version == 7 and value.variant == "specified in RFC 4122" for value in ids)


def test_threads_never_get_the_same_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: [new_id() for _ in range(1_000)], range(8)))

    assert len({value for batch in batches for value in batch}) == 8_000
    assert all(batch == sorted(batch) for batch in batches)


def test_an_id_at_the_edge_carries_its_type() -> None:
    value = UUID("0197f3a2-0000-7000-8000-000000000001")

    assert to_text("per", value) == "per_0197f3a2000070008000000000000001"
    assert parse("per", to_text("per", value)) == value


@pytest.mark.parametrize(
    "text",
    ["", "per_", "emp_0197f3a2000070008000000000000001", "per_0197F3A2000070008000000000000001",
     "per_0197f3a2-0000-7000-8000-000000000001", "per_0197f3a200007000800000000000000１", "per_" + "0" * 10_000,
     "per_0197f3a2000070008000000000000001\n", "../etc/passwd"],
)  # fmt: skip
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse("per", text, field="person_id")

    assert (caught.value.reason, caught.value.field) == ("ID_MALFORMED", "person_id")
