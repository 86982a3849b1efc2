"""The texts of the pages: one catalogue per language, a folder of YAML files each; no text stands in code or template.

A key is the file's name and the key in it: `texts/zh/home.yaml` with `title` is `home.title`. `words.yaml` holds the
names of values of the contract (`CASE_STATE_DRAFT`), asked for with `word`. Tests hold the catalogues alike.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.gateway.edge.catalogue import Language

FOLDER = Path(__file__).resolve().parent / "texts"
WORDS = "words"


class TextsWrong(Exception):  # noqa: N818 - read by developers as a sentence
    """A catalogue cannot be read."""


class _Strict(yaml.CSafeLoader):
    """Refuses a key that stands twice, and keeps every value a text (`no` is not false)."""


def _mapping(loader: yaml.CSafeLoader, node: yaml.MappingNode) -> dict[str, str]:
    made: dict[str, str] = {}
    for key_node, value_node in node.value:
        if not isinstance(value_node, yaml.ScalarNode) or key_node.value in made:
            raise TextsWrong(f"{key_node.value} (line {key_node.start_mark.line + 1}) is no text, or stands twice")
        made[key_node.value] = str(loader.construct_scalar(value_node))
    return made


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


@lru_cache(maxsize=2)
def load(language: Language) -> Mapping[str, str]:
    """All texts of a language, by key.

    Raises:
        TextsWrong: A file is no mapping of texts.
    """
    found: dict[str, str] = {}
    for path in sorted((FOLDER / language).glob("*.yaml")):
        entries = yaml.load(path.read_text("utf-8"), _Strict) or {}  # noqa: S506 - a safe loader
        found |= {f"{path.stem}.{key}": text for key, text in entries.items()}
    return found


class Texts:
    """The catalogue of one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._texts = load(language)

    def __call__(self, key: str, **values: object) -> str:
        """A text, with values in its braces.

        Raises:
            KeyError: The catalogue has no such key, or a value is missing.
        """
        text = self._texts[key]
        return text.format(**values) if values else text

    def word(self, value: str) -> str:
        """The name of a value of the contract; the value itself where the catalogue does not know it (yet)."""
        return self._texts.get(f"{WORDS}.{value}", value)

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        return key in self._texts
