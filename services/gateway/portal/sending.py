"""A form that does one thing through the API: shown, read, sent with its key, and blamed where the API refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.gateway.portal.forms import Field, Filled
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from services.gateway.portal.visit import Visit

BAD_REQUEST = 400
_DIGITS_MOST = 10


@dataclass(slots=True)
class Sent:
    """What became of a form: `answer` where the API did it, else the form as it stands and perhaps a problem."""

    filled: Filled
    answer: Any = None
    problem: ApiProblem | None = None

    @property
    def status(self) -> int:
        """Of the page that shows the form."""
        return self.problem.status if self.problem else 200


async def sent(
    visit: Visit,
    fields: tuple[Field, ...],
    send: Callable[[dict[str, Any]], Awaitable[Any]],
    *,
    known: Mapping[str, str] | None = None,
    mine: bool = True,
) -> Sent:
    """Show a form, or send what was filled in.

    Args:
        visit: The visit.
        fields: What is asked.
        send: Does it, with the form as the body of the API.
        known: What stands in the form at first.
        mine: Whether the form that was posted is this one; a page may hold several.
    """
    if visit.request.method == "GET" or not mine:
        return Sent(Filled(fields, dict(known or {})))
    filled = Filled.of(fields, visit.form, visit.t)
    if filled.errors:
        return Sent(filled, problem=ApiProblem(BAD_REQUEST, "", visit.t("error.title")))
    try:
        return Sent(filled, answer=await send(filled.body()))
    except ApiProblem as problem:
        if problem.needs_login:
            raise
        filled.blame(problem)
        return Sent(filled, problem=problem)


def whole(visit: Visit, name: str, given: str) -> int:
    """A whole number that was typed.

    Raises:
        ApiProblem: It is none; beside its field.
    """
    if given.isascii() and given.isdecimal() and len(given) < _DIGITS_MOST:
        return int(given)
    wrong = {"pointer": "/" + name.replace(".", "/"), "detail": visit.t("form.whole")}
    raise ApiProblem(BAD_REQUEST, "", visit.t("error.title"), errors=[wrong])
