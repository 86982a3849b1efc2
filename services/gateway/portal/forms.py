"""Forms as values: which fields, how they are labelled, read and sent, and where a problem of the API belongs.

A field's name is its path in the JSON of the API ("form.pension.payee.account"), so that a form becomes a body and a
problem's pointer ("/form/pension/payee/account") finds its field without a table between them. What is right or wrong
the API decides; only an empty required field is caught here, which saves a round.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.gateway.portal.public_api import ApiProblem
    from services.gateway.portal.texts import Texts

Kind = Literal[
    "text", "name", "id_no", "month", "date", "money", "digits", "pin", "account", "choice", "select", "consent", "long"
]

# Kind → input type, inputmode, longest value. Native pickers of months and days are missing in some browsers and hard
# to use by keyboard in others, so both are typed; an amount has its decimals typed as shown.
_INPUTS: Mapping[str, tuple[str, str, int]] = {
    "text": ("text", "", 200),
    "name": ("text", "", 50),
    "id_no": ("text", "", 18),
    "month": ("text", "numeric", 7),
    "date": ("text", "numeric", 10),
    "money": ("text", "decimal", 17),
    "digits": ("text", "numeric", 30),
    "pin": ("password", "numeric", 6),
    "account": ("text", "numeric", 23),
    "long": ("text", "", 2000),
}
# Last part of the names of fields that are shown again to nobody and kept nowhere.
SECRETS = frozenset({"pin", "again"})
# Chinese keyboards type the wide forms of ASCII; the contract wants the narrow ones.
_FULL_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F)}


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form.

    Attributes:
        name: Path in the body, "form.pension.retirement_month".
        kind: How it is asked for.
        label: Key of its label.
        hint: Key of its hint; empty: none.
        choices: Values of a choice, named by the words of the catalogue.
        options: Values of a select with their texts, or those of a choice that the words do not name.
        complete: The autocomplete token of HTML, where there is one.
        sends: What is sent for a choice, where it is not the choice itself.
    """

    name: str
    kind: Kind
    label: str
    hint: str = ""
    required: bool = True
    choices: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    complete: str = ""
    sends: tuple[tuple[str, Any], ...] = ()

    @property
    def id(self) -> str:
        """What links lead to."""
        return self.name.replace(".", "-")

    @property
    def input_type(self) -> str:
        """The type of the control."""
        return _INPUTS[self.kind][0]

    @property
    def mode(self) -> str:
        """The keyboard of a telephone."""
        return _INPUTS[self.kind][1]

    @property
    def length(self) -> int:
        """The longest value."""
        return _INPUTS[self.kind][2]

    @property
    def is_secret(self) -> bool:
        """Whether it is not shown again."""
        return self.kind == "pin"

    def text_of(self, value: str) -> str:
        """How a value is shown where the field itself names it; else empty."""
        return dict(self.options).get(value, "")

    def read(self, given: str) -> str:
        """The value as the contract wants it."""
        if self.kind in {"month", "date", "money", "digits", "pin", "account", "id_no"}:
            given = given.translate(_FULL_WIDTH).replace(" ", "")
        if self.kind in {"month", "date"}:
            parts = given.replace("/", "-").replace(".", "-").split("-")
            return "-".join([parts[0], *(part.zfill(2) for part in parts[1:])])
        if self.kind == "money":
            given = given.replace(",", "").removeprefix("¥")
            return (
                f"{given}.00" if given.isdecimal() else given
            )  # the contract wants the decimals, people leave them out
        return given.upper() if self.kind == "id_no" else given


@dataclass(slots=True)
class Filled:
    """A form with what was filled in, and what is wrong with it."""

    fields: tuple[Field, ...]
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, fields: Iterable[Field], form: Mapping[str, str], t: Texts) -> Filled:
        """Read a posted form; empty required fields are errors."""
        filled = cls(tuple(fields))
        for one in filled.fields:
            value = one.read(form.get(one.name, ""))
            filled.values[one.name] = value
            if one.required and not value:
                filled.errors[one.name] = t("form.missing", field=t(one.label))
            elif one.kind == "choice" and value not in {*one.choices, ""}:
                filled.errors[one.name] = t("form.choose", field=t(one.label))
        return filled

    def body(self) -> dict[str, Any]:
        """The values as the JSON of the API; empty ones are left out."""
        made: dict[str, Any] = {}
        for one in self.fields:
            value = self.values.get(one.name, "")
            if not value:
                continue
            *path, last = one.name.split(".")
            inner = made
            for part in path:
                inner = inner.setdefault(part, {})
            inner[last] = value == "true" if one.kind == "consent" else dict(one.sends).get(value, value)
        return made

    def blame(self, problem: ApiProblem) -> None:
        """Put what the API says about fields beside them."""
        for error in problem.errors:
            name = error.get("pointer", "").strip("/").replace("/", ".")
            found = next(
                (one for one in self.fields if name and (one.name == name or one.name.endswith(f".{name}"))), None
            )
            if found is not None:
                text = " ".join(part for part in (error.get("detail", ""), error.get("hint", "")) if part)
                self.errors[found.name] = text or problem.detail

    @property
    def summary(self) -> dict[str, str]:
        """The errors by the id of their field, for the list of links."""
        return {one.id: self.errors[one.name] for one in self.fields if one.name in self.errors}
