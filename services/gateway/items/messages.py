"""Items and bundles as the contract says them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hrss.gateway.v1 import items_service_pb2 as pb
from services.gateway.items.available import AVAILABLE_BUNDLES, AVAILABLE_ITEMS

if TYPE_CHECKING:
    from services.gateway.items.domain import Bundle, Item


def item(found: Item) -> pb.Item:
    """An item."""
    message = pb.Item(
        item_code=found.code,
        name_zh=found.zh,
        name_en=found.en,
        audience=found.audience,
        service=found.service,
        is_available=found.code in AVAILABLE_ITEMS,
        is_instant=found.is_instant,
        materials=found.materials,
        shared_materials=found.shared,
        sources=found.sources,
        promise_confidence=found.promise_confidence,
        note_zh=found.note_zh,
        note_en=found.note_en,
    )
    if found.limit_days is not None:
        message.limit_working_days = found.limit_days
    if found.promise_days is not None:
        message.promise_working_days = found.promise_days
    return message


def bundle(found: Bundle) -> pb.Bundle:
    """A bundle."""
    return pb.Bundle(
        bundle_code=found.code,
        name_zh=found.zh,
        name_en=found.en,
        item_codes=found.items,
        external=found.external,
        is_available=found.code in AVAILABLE_BUNDLES,
        sources=found.sources,
    )
