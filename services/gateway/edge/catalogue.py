"""The catalogue of problems: what people read for each reason, in Chinese and English.

Read once at start from `i18n/problems.yaml`; a duplicate or malformed entry stops the start.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
FOLDER = Path(__file__).resolve().parent.parent / "i18n"


@dataclass(frozen=True, slots=True)
class Text:
    """What happened (title, detail) and what to do next (hint); `exact` says it better where its values are known."""

    title: str
    detail: str
    hint: str
    exact: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """Everything that may be shown."""
        return tuple(part for part in (self.title, self.detail, self.exact, self.hint) if part)


def placeholders(text: str) -> frozenset[str]:
    """Names of the values that a text prints."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name)


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of the catalogue."""

    code: str
    status: int
    grpc: str
    retryable: bool
    texts: Mapping[Language, Text]
    causes: Mapping[str, Mapping[Language, Text]] = field(default_factory=dict)

    def text(self, language: Language, values: Mapping[str, str]) -> Text:
        """The text for one occurrence; a cause has its own detail and hint."""
        chosen = self.causes.get(values.get("cause", ""), self.texts)[language]
        is_known = bool(chosen.exact) and all(values.get(name) for name in placeholders(chosen.exact))
        detail = chosen.exact if is_known else chosen.detail
        shown = {name: values.get(name, "…") for name in placeholders(detail)}
        return Text(chosen.title, detail.format(**shown), chosen.hint)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All problems, and the names of services in words."""

    problems: Mapping[str, Problem]
    services: Mapping[str, Mapping[Language, str]]

    def known(self, codes: Iterable[str]) -> Iterator[Problem]:
        """The entries of some codes; one that the catalogue does not have yet is left out, and a test fails."""
        return (self.problems[code] for code in codes if code in self.problems)


class CatalogueWrong(Exception):  # noqa: N818 - read by developers as a sentence
    """The catalogue cannot be read."""


@lru_cache(maxsize=1)
def load() -> Catalogue:
    """The catalogue of this release."""
    problems = read((FOLDER / "problems.yaml").read_text("utf-8"))
    words = yaml.load((FOLDER / "words.yaml").read_text("utf-8"), _Strict)  # noqa: S506 - a safe loader
    return Catalogue(problems, words["services"])


def read(text: str) -> dict[str, Problem]:
    """Read a catalogue.

    Raises:
        CatalogueWrong: A code stands twice, or an entry has not exactly the parts it should have.
    """
    entries: dict[str, dict[str, Any]] = yaml.load(text, _Strict)  # noqa: S506 - a safe loader
    found: dict[str, Problem] = {}
    for code, entry in entries.items():
        try:
            texts = _texts(entry)
            causes = {name: _texts(cause, entry) for name, cause in entry.get("causes", {}).items()}
            wire = entry["wire"]
            found[code] = Problem(code, int(wire["status"]), str(wire["grpc"]), bool(wire["retryable"]), texts, causes)
            if extra := entry.keys() - {"wire", "zh", "en", "causes"}:
                raise CatalogueWrong(f"{code}: unknown parts {sorted(extra)}")
        except (KeyError, TypeError) as error:
            raise CatalogueWrong(f"{code}: {error!r}") from None
    return found


def _texts(entry: Mapping[str, Any], default: Mapping[str, Any] | None = None) -> dict[Language, Text]:
    return {
        language: Text(**({"title": default[language]["title"]} if default else {}), **entry[language])
        for language in LANGUAGES
    }


class _Strict(yaml.CSafeLoader):
    """Refuses a key that stands twice, where YAML would take the last one."""


def _mapping(loader: yaml.CSafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node)
        if key in made:
            raise CatalogueWrong(f"{key} stands twice (line {key_node.start_mark.line + 1})")
        made[key] = loader.construct_object(value_node, deep=True)
    return made


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
