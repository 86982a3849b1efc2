"""Forms: the right ones, filled in, masked for people who look, and wiped when nothing needs them any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrss.gateway.v1 import cases_service_pb2 as pb
from kernel.errors import InvalidInput, Violation

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from services.gateway.cases.effects.model import Item

_ACCOUNT_SHOWN = 4


def check(form: pb.CaseForm, items: tuple[Item, ...]) -> None:
    """Refuse forms of other items.

    Raises:
        InvalidInput: CASE_FORM_WRONG.
    """
    wanted = {item.form for item in items}
    found = [
        Violation(f"form.{field.name}", "CASE_FORM_WRONG", "this form belongs to another item")
        for field, _ in form.ListFields()
        if field.name not in wanted
    ]
    if found:
        raise InvalidInput("CASE_FORM_WRONG", "forms of other items are filled in", violations=found)


def complete(form: pb.CaseForm, items: tuple[Item, ...], *, filled_later: frozenset[str] = frozenset()) -> None:
    """Refuse a form with gaps, naming all of them at once.

    Args:
        form: What was filled in.
        items: What it is for.
        filled_later: Paths that an earlier part of a bundle supplies.

    Raises:
        InvalidInput: CASE_INCOMPLETE.
    """
    paths = (f"{item.form}.{path}" for item in items for path in item.required)
    missing = [
        Violation(f"form.{path}", "CASE_INCOMPLETE", "must be filled in")
        for path in paths
        if path not in filled_later and not _is_filled(form, path)
    ]
    if missing:
        raise InvalidInput("CASE_INCOMPLETE", "something is not filled in", violations=missing)


def masked(form: pb.CaseForm) -> pb.CaseForm:
    """The form as it may be shown and kept for ever: names, numbers and accounts masked, without the PIN."""
    shown = pb.CaseForm()
    shown.CopyFrom(form)
    shown.card.pin = ""
    if not form.HasField("card"):
        shown.ClearField("card")
    if form.HasField("enrollment"):
        shown.enrollment.name = mask_name(form.enrollment.name)
        shown.enrollment.id_no = _mask_id_no(form.enrollment.id_no)
    if form.HasField("subsidy"):
        shown.subsidy.certificate_number = _mask_tail(form.subsidy.certificate_number)
    for name in ("pension", "unemployment", "subsidy"):
        if form.HasField(name) and getattr(form, name).HasField("payee"):
            payee = getattr(shown, name).payee
            payee.name, payee.account = mask_name(payee.name), _mask_tail(payee.account)
    return shown


def mask_name(name: str) -> str:
    """First and last character; of two characters only the first."""
    if len(name) <= 2:  # noqa: PLR2004 - surname and one character
        return name[:1] + "*" if name else ""
    return name[0] + "*" * (len(name) - 2) + name[-1]


def _mask_id_no(number: str) -> str:
    """Division and last character, as the register shows it."""
    return number[:6] + "*" * max(0, len(number) - 7) + number[-1:]


def _mask_tail(text: str) -> str:
    return "*" * max(0, len(text) - _ACCOUNT_SHOWN) + text[-_ACCOUNT_SHOWN:] if len(text) > _ACCOUNT_SHOWN else ""


def _is_filled(form: Message, path: str) -> bool:
    value: Any = form
    for name in path.split("."):
        descriptor = value.DESCRIPTOR.fields_by_name[name]
        if descriptor.message_type is not None and not value.HasField(name):
            return False
        value = getattr(value, name)
    return True if hasattr(value, "DESCRIPTOR") else bool(value)
