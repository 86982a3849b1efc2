"""What an applicant filled in, as rows for staff: the labels of the form and the masked values of the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.gateway.portal.applications import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.gateway.portal.forms import Field


@dataclass(frozen=True, slots=True)
class Row:
    """One answer: the key of its label, how it is to be read, and the value."""

    label: str
    kind: str
    value: str


def filled_in(form: Mapping[str, Any]) -> list[Row]:
    """The answers of all forms in a case, in the order of the items."""
    found = []
    for field in dict.fromkeys(field for fields in FIELDS.values() for field in fields):
        if field.is_secret:
            continue
        value: Any = {"form": form}
        for part in field.name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None and value != "":
            found.append(_row(field, value))
    return found


def _row(field: Field, value: Any) -> Row:
    for choice, sent in field.sends:
        if value is sent:
            return Row(field.label, "choice", choice)
    if isinstance(value, bool):
        return Row(field.label, "choice", "true" if value else "false")
    return Row(field.label, field.kind, str(value))
