"""Every item and bundle that can be applied for; a new one is added here (docs/how-to/add-an-item.md)."""

from __future__ import annotations

from hrss.gateway.v1 import cases_service_pb2 as pb
from kernel.errors import NotFound, Refused
from services.gateway.cases.effects.benefits import BE01, BE09, BE10, REGISTRATION, day_of
from services.gateway.cases.effects.cards import CA03, CA06
from services.gateway.cases.effects.employment import EN05, EN06
from services.gateway.cases.effects.model import Bundle, Item, Part
from services.gateway.cases.effects.training import TR01

ITEMS: dict[str, Item] = {item.code: item for item in (EN05, EN06, BE01, BE09, BE10, TR01, CA03, CA06)}
BUNDLES: dict[str, Bundle] = {
    bundle.code: bundle
    for bundle in (
        # 解除终止劳动合同: nobody is registered as unemployed before the employment has ended.
        Bundle("PK05", (Part("EN06"), Part("BE09", ("EN06",)), Part("BE10", ("EN06", "BE09")))),
    )
}


def items_of(code: str) -> tuple[Item, ...]:
    """The item of a code, or those of a bundle."""
    bundle = BUNDLES.get(code)
    return tuple(ITEMS[part.code] for part in bundle.parts) if bundle else (ITEMS[code],)


def is_bundle(code: str) -> bool:
    """Whether a code names a bundle."""
    return code in BUNDLES


def require(code: str, *, is_known: bool) -> None:
    """Refuse what cannot be applied for here.

    Raises:
        NotFound: ITEM_NOT_FOUND.
        Refused: ITEM_NOT_AVAILABLE: the catalogue has it, this platform does not take it yet.
    """
    if code in ITEMS or code in BUNDLES:
        return
    if is_known:
        raise Refused("ITEM_NOT_AVAILABLE", "this item cannot be applied for here yet")
    raise NotFound("ITEM_NOT_FOUND", "the catalogue has no such item")


def part_form(form: pb.CaseForm, code: str, results: dict[str, str]) -> pb.CaseForm:
    """What of a bundle's form belongs to one part, completed by what earlier parts have kept."""
    field = ITEMS[code].form
    part = pb.CaseForm()
    getattr(part, field).CopyFrom(getattr(form, field))
    getattr(part, field).SetInParent()
    if code == "BE10" and not part.unemployment.HasField("registration_date") and (day := results.get(REGISTRATION)):
        part.unemployment.registration_date.CopyFrom(day_of(day))
    return part
