"""The edge of the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.call import Servicer
from hrss.gateway.v1 import items_service_pb2 as pb
from kernel.errors import NotFound
from services.gateway.items import messages
from services.gateway.items.available import AVAILABLE_ITEMS

if TYPE_CHECKING:
    from chassis.call import Call
    from services.gateway.items.policy import ItemPolicy


class ItemRpc(Servicer):
    """Items and bundles of the business day."""

    service = pb.DESCRIPTOR.services_by_name["ItemService"]

    def __init__(self, policy: ItemPolicy) -> None:
        self._policy = policy

    async def ListItems(self, request: pb.ListItemsRequest, call: Call) -> pb.ListItemsResponse:
        """Search the items."""
        found = (
            item
            for item in self._policy.on(call.today).search(request.query)
            if (not request.service or item.service == request.service)
            and (not request.only_available or item.code in AVAILABLE_ITEMS)
        )
        return pb.ListItemsResponse(items=[messages.item(item) for item in found])

    async def GetItem(self, request: pb.GetItemRequest, call: Call) -> pb.GetItemResponse:
        """Show an item with its bundles. Refuses ITEM_NOT_FOUND."""
        catalogue = self._policy.on(call.today)
        item = catalogue.item(request.item_code)
        if item is None:
            raise NotFound("ITEM_NOT_FOUND", "the catalogue has no such item")
        bundles = [messages.bundle(bundle) for bundle in catalogue.bundles_of(item.code)]
        return pb.GetItemResponse(item=messages.item(item), bundles=bundles)

    async def ListBundles(self, _request: pb.ListBundlesRequest, call: Call) -> pb.ListBundlesResponse:
        """All bundles."""
        bundles = self._policy.on(call.today).bundles
        return pb.ListBundlesResponse(bundles=[messages.bundle(bundle) for bundle in bundles])
