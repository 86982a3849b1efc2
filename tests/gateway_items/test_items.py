"""The catalogue: complete, findable by words, codes and pinyin, and true about what can be done here."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from chassis.policy import open_policy
from hrss.gateway.v1 import items_service_pb2 as pb
from kernel.errors import NotFound
from services.gateway.cases.effects.all import BUNDLES, ITEMS
from services.gateway.items.available import AVAILABLE_BUNDLES, AVAILABLE_ITEMS, CASE_ITEMS
from services.gateway.items.domain import Bundle, Catalogue, misfits
from services.gateway.items.pinyin import initials
from services.gateway.items.policy import ItemPolicy
from services.gateway.items.rpc import ItemRpc

if TYPE_CHECKING:
    from typing import Any

DAY = date(2026, 11, 23)


class Asked:
    """A call of which only the day counts."""

    today = DAY


@pytest.fixture(scope="module")
def policy() -> ItemPolicy:
    """The catalogue of this release."""
    return ItemPolicy(open_policy())


@pytest.fixture(scope="module")
def catalogue(policy: ItemPolicy) -> Catalogue:
    """The catalogue of a day."""
    return policy.on(DAY)


def test_the_catalogue_is_complete(catalogue: Catalogue) -> None:
    assert (len(catalogue.items), len(catalogue.bundles)) == (56, 11)
    assert list(misfits(catalogue)) == []
    assert all(item.zh and item.en and item.sources for item in catalogue.items)


def test_a_catalogue_that_contradicts_itself_is_found_out(catalogue: Catalogue) -> None:
    item = catalogue.items[0]
    wrong = Catalogue((item, item), (Bundle("PK99", "甲", "A", ("XX99",), (), ()),))

    assert list(misfits(wrong)) == ["EN01 stands twice", "PK99 names XX99, which is no item"]


def test_what_is_said_to_be_available_is_what_cases_do() -> None:
    assert set(CASE_ITEMS) == set(ITEMS)
    assert set(BUNDLES) == AVAILABLE_BUNDLES


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("退休", "BE01"),
        ("be10", "BE10"),
        ("ＢＥ１０", "BE10"),
        ("sybxjsl", "BE10"),
        ("unemployment claim", "BE10"),
        ("挂失", "CA03"),
        ("档案", "BE01"),
    ],
)
def test_items_are_found(catalogue: Catalogue, query: str, first: str) -> None:
    assert next(catalogue.search(query)).code == first


def test_no_words_find_everything_and_nonsense_nothing(catalogue: Catalogue) -> None:
    assert len(list(catalogue.search("  "))) == 56
    assert list(catalogue.search("qqqq")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("养老待遇测算", "yldycs"),
        ("失业保险金", "sybxj"),
        ("职工参保登记(增员)", "zgcbdjzy"),
        ("BE01 啊座", "be01az"),
        ("㼆", ""),
    ],
)
def test_initials_come_from_the_order_of_the_characters(text: str, expected: str) -> None:
    assert initials(text) == expected


def test_limits_and_promises_stay_apart(catalogue: Catalogue) -> None:
    retire, instant, unknown = (catalogue.item(code) for code in ("BE01", "BE19", "BE20"))

    assert retire is not None
    assert (retire.limit_days, retire.promise_days, retire.promise_confidence) == (20, 10, "assumed")
    assert instant is not None
    assert instant.is_instant
    assert unknown is not None
    assert (unknown.limit_days, unknown.promise_days, unknown.is_instant) == (None, None, False)


async def test_the_edge_of_the_catalogue(policy: ItemPolicy) -> None:
    rpc, call = ItemRpc(policy), _call()

    here = await rpc.ListItems(pb.ListItemsRequest(only_available=True), call)
    cards = await rpc.ListItems(pb.ListItemsRequest(service="card"), call)
    found = await rpc.GetItem(pb.GetItemRequest(item_code="be10"), call)
    bundles = await rpc.ListBundles(pb.ListBundlesRequest(), call)

    assert {item.item_code for item in here.items} == AVAILABLE_ITEMS
    assert {item.service for item in cards.items} == {"card"}
    assert found.item.item_code == "BE10"
    assert {bundle.bundle_code for bundle in found.bundles} == {"PK05", "PK08"}
    assert [bundle.is_available for bundle in bundles.bundles if bundle.bundle_code == "PK05"] == [True]
    with pytest.raises(NotFound, match="no such item"):
        await rpc.GetItem(pb.GetItemRequest(item_code="ZZ99"), call)


def _call() -> Any:
    return Asked()
