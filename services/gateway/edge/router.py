"""Finding a route: a trie over path segments, so that the number of routes does not matter.

The raw path is matched, before percent-decoding: no id of ours needs an escape, so `%2e%2e%2f` finds nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.gateway.edge.contract import Route

# What may stand in the place of a variable. Ids are 36 characters; a longer or stranger text is no id of anything.
_VARIABLE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_PATH_MAX = 512  # the longest route with its ids has about 100 characters


@dataclass(slots=True)
class _Node:
    literal: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    routes: dict[str, dict[str, Route]] = field(default_factory=dict)  # verb → HTTP method → route


@dataclass(frozen=True, slots=True)
class Match:
    """A route with the values of its path variables."""

    route: Route
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """The path exists, with other methods."""

    allowed: tuple[str, ...]


class Router:
    """Routes by path and method."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.segments:
                if segment.startswith("{"):
                    node.variable = node.variable or _Node()
                    node = node.variable
                else:
                    node = node.literal.setdefault(segment, _Node())
            node.routes.setdefault(route.verb, {})[route.method] = route

    def find(self, method: str, path: str) -> Match | WrongMethod | None:
        """The route of a raw path like `/v1/bills/bil_…:pay`; None when there is no such path."""
        if len(path) > _PATH_MAX or not path.startswith("/v1/"):
            return None
        head, slash, last = path[4:].rpartition("/")
        last, colon, verb = last.partition(":")
        if colon and not verb:
            return None
        segments = [*head.split("/"), last] if slash else [last]
        found = _walk(self._root, segments, 0, (), verb)
        if found is None:
            return None
        by_method, variables = found
        if (route := by_method.get(method)) is not None:
            return Match(route, variables)
        return WrongMethod(tuple(sorted(by_method)))


def _walk(
    node: _Node, segments: list[str], at: int, variables: tuple[str, ...], verb: str
) -> tuple[Mapping[str, Route], tuple[str, ...]] | None:
    """A literal segment wins over a variable; where it leads nowhere, the variable is tried."""
    if at == len(segments):
        by_method = node.routes.get(verb)
        return (by_method, variables) if by_method else None
    segment = segments[at]
    if (below := node.literal.get(segment)) is not None:
        found = _walk(below, segments, at + 1, variables, verb)
        if found is not None:
            return found
    if node.variable is not None and _VARIABLE.fullmatch(segment):
        return _walk(node.variable, segments, at + 1, (*variables, segment), verb)
    return None
