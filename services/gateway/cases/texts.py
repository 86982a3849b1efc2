"""What people read about cases, in the language of the request (i18n/cases.yaml)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import yaml

from services.gateway.edge import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.gateway.edge.catalogue import Language


@lru_cache(maxsize=1)
def load() -> dict[str, dict[str, Any]]:
    """All texts of this release."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((catalogue.FOLDER / "cases.yaml").read_text("utf-8"))
    return found


def step_title(code: str, name: str, language: Language) -> str:
    """What a step does."""
    return str(load()["steps"][f"{code}.{name}"][language])


def event_text(code: str, kind: str, detail: Mapping[str, str], title: str, language: Language) -> str:
    """What happened."""
    values = {**detail, "title": title}
    if step := detail.get("step"):
        values["step"] = step_title(detail.get("code", code), step, language)
    return _filled(load()["events"][kind][language], values, language)


def message(kind: str, detail: Mapping[str, str], title: str, language: Language) -> tuple[str, str]:
    """Title and text of a message."""
    texts = load()["messages"][kind][language]
    values = {**detail, "title": title}
    return _filled(texts["title"], values, language), _filled(texts["text"], values, language)


def todo(kind: str, language: Language, **values: str) -> str:
    """What the applicant has to do now."""
    return _filled(load()["todo"][kind][language], values, language)


def problem(code: str, values: Mapping[str, str], language: Language) -> str:
    """A refusal in words: what happened and what to do next."""
    entry = catalogue.load().problems.get(code)
    if entry is None:
        return code
    text = entry.text(language, values)
    return f"{text.detail}{text.hint}" if language == "zh" else f"{text.detail} {text.hint}"


def _filled(text: str, values: Mapping[str, str], language: Language) -> str:
    shown = {name: values.get(name, "…") for name in catalogue.placeholders(text)}
    if "problem" in shown and (code := values.get("problem")):
        shown["problem"] = problem(code, values, language)
    return text.format(**shown)
