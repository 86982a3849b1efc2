"""What a page declares: its address, who may open it, and who renders it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

ANYBODY: frozenset[str] = frozenset()
CITIZEN = frozenset({"CITIZEN"})
FILE_MAX = 20 * 1024 * 1024  # what the API takes


@dataclass(frozen=True, slots=True)
class Page:
    """One address of the portal.

    A form posts to the address that shows it: a login that has to be renewed or strengthened comes back there.

    Attributes:
        path: Template of the path, as Starlette reads it.
        handler: Renders it. For a POST the form has been read and its CSRF token checked.
        roles: One of them is needed; empty: anybody may come.
        acr: The login's level that is asked for before anything is shown.
        methods: GET and, where the page takes a form, POST.
        file_max: Bytes of the files that its form may bring; 0: none.
    """

    path: str
    handler: Callable[[Visit], Awaitable[Response]]
    roles: frozenset[str] = ANYBODY
    acr: int = 0
    methods: tuple[str, ...] = ("GET",)
    file_max: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the navigation; `key` is its text."""

    path: str
    key: str


# The navigation of each audience, first match of a visitor's roles; elder mode shows the first three.
NAVIGATION: dict[str, tuple[Link, ...]] = {
    "CITIZEN": (
        Link("/me", "nav.me"),
        Link("/items", "nav.items"),
        Link("/cases", "nav.cases"),
        Link("/card", "nav.card"),
        Link("/messages", "nav.messages"),
    ),
    "SUPERVISOR": (
        Link("/desk/cases", "nav.desk"),
        Link("/desk/office", "nav.office"),
        Link("/employers", "nav.employers"),
        Link("/console/indicators", "nav.indicators"),
    ),
    "CLERK": (
        Link("/desk/cases", "nav.desk"),
        Link("/desk/counter", "nav.counter"),
        Link("/verify-card", "nav.verify_card"),
        Link("/employers", "nav.employers"),
        Link("/desk/office", "nav.office"),
    ),
    "AUDITOR": (
        Link("/desk/cases", "nav.desk"),
        Link("/desk/office", "nav.office"),
        Link("/employers", "nav.employers"),
        Link("/console/indicators", "nav.indicators"),
    ),
    "OPERATOR": (
        Link("/console/platform", "nav.platform"),
        Link("/console/jobs", "nav.jobs"),
        Link("/console/indicators", "nav.indicators"),
        Link("/console/traces", "nav.traces"),
    ),
    "": (Link("/items", "nav.items"), Link("/track", "nav.track"), Link("/me", "nav.me")),
}
ELDER_LINKS = 3

# Where a fresh login goes when it asked for nothing in particular.
HOMES: dict[str, str] = {
    "CITIZEN": "/me",
    "SUPERVISOR": "/desk/cases",
    "CLERK": "/desk/cases",
    "AUDITOR": "/desk/cases",
    "OPERATOR": "/console/platform",
}
