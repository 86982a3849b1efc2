"""Reads policy files and local value files strictly, noting every problem with its place.

Unknown keys, keys given twice, binary fractions, values without source or confidence, sources that nobody registered
and days out of order are problems. A local value may fill days whose value is ``null``, and nothing else.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from chassis.policy_types import Problem, converter, keys_of, list_of, read_number, words_of
from kernel.dated import Confidence, Dated, DatedValue

SOURCES_FILE = "sources.yaml"

_SCHEMA = "hrss-policy/1"
_SCHEMA_SOURCES = "hrss-policy-sources/1"
_SCHEMA_LOCAL = "hrss-policy-local/1"
_LOCAL_ID = re.compile(r"[A-Z0-9][A-Z0-9-]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """A document the law rests on; ``checked`` tells how its text was reached (text, secondary, memory)."""

    id: str
    kind: str
    title: str
    number: str
    checked: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in words: what the calculation does, for people who check it."""

    file: str
    id: str
    text: str
    confidence: Confidence
    source: tuple[str, ...]


class _Loader(yaml.CSafeLoader):
    """YAML without binary fractions and without a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's signature
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise Problem(f"line {node.start_mark.line + 1}: a key is given twice")
        return mapping


def _refuse_float(_: yaml.CSafeLoader, node: yaml.ScalarNode) -> None:
    raise Problem(f"line {node.start_mark.line + 1}: {node.value} must be written as text in quotes")


_Loader.add_constructor("tag:yaml.org,2002:float", _refuse_float)

UNREADABLE: Any = object()  # stands for a file whose problem is already noted


def read_yaml(path: Path, problems: list[str]) -> Any:
    """The plain content of a file, or :data:`UNREADABLE` with the problem noted."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - _Loader is a safe loader
    except (OSError, UnicodeError, yaml.YAMLError, ValueError, Problem) as error:
        problems.append(f"{path.name}: {error}")
        return UNREADABLE


def read_sources(content: Any, problems: list[str]) -> dict[str, Source]:
    """The registered sources by id."""
    sources: dict[str, Source] = {}
    try:
        header = keys_of(content, "schema compiled sources")
        if header["schema"] != _SCHEMA_SOURCES:
            raise Problem(f"schema must be {_SCHEMA_SOURCES}")
        for entry in list_of(header["sources"]):
            fields = keys_of(entry, "id kind title number checked", "issued effective provenance")
            names = [words_of(fields[name]) for name in ("id", "kind", "title", "number", "checked")]
            if names[0] in sources:
                raise Problem(f"{names[0]} is registered twice")
            sources[names[0]] = Source(*names)
    except Problem as problem:
        problems.append(f"{SOURCES_FILE}: {problem}")
    return sources


class LawReader:
    """Collects parameters and rules from plain content, noting each problem with its place."""

    def __init__(self, sources: frozenset[str], problems: list[str]) -> None:
        self.parameters: dict[tuple[str, str], Dated[Any]] = {}
        self.types: dict[tuple[str, str], str] = {}
        self.rules: list[Rule] = []
        self.converters: dict[tuple[str, str], Callable[[Any], Any]] = {}
        self._sources = sources
        self._problems = problems

    def read_file(self, file: str, content: Any) -> None:
        """Read the parameters, facts and rules of one file."""
        try:
            header = keys_of(content, "schema title parameters", "source confidence rules facts")
            keys_of(header["title"], "zh en")
            if header["schema"] != _SCHEMA:
                raise Problem(f"schema must be {_SCHEMA}")
            for entry in list_of(header["parameters"]):
                self._read_entry(file, entry, "key", lambda item: self._read_parameter(file, item, header))
            for entry in list_of(header.get("facts", [])):
                self._read_entry(file, entry, "key", self._read_fact)
            for entry in list_of(header.get("rules", [])):
                self._read_entry(file, entry, "id", lambda item: self._read_rule(file, item))
        except Problem as problem:
            self._problems.append(f"{file}: {problem}")

    def apply_local(self, file: str, content: Any) -> None:
        """Put the entries of a local value file where the parameters have no value."""
        try:
            header = keys_of(content, "schema entries")
            if header["schema"] != _SCHEMA_LOCAL:
                raise Problem(f"schema must be {_SCHEMA_LOCAL}")
            seen: set[str] = set()
            for entry in list_of(header["entries"]):
                self._read_entry(file, entry, "id", lambda item: self._apply_local_entry(item, seen))
        except Problem as problem:
            self._problems.append(f"{file}: {problem}")

    def _read_entry(self, file: str, entry: Any, name: str, read: Callable[[Any], None]) -> None:
        place = entry.get(name, "?") if isinstance(entry, dict) else "?"
        try:
            read(entry)
        except Problem as problem:
            self._problems.append(f"{file}: {place}: {problem}")

    def _read_parameter(self, file: str, entry: Any, header: dict[str, Any]) -> None:
        fields = keys_of(entry, "key zh unit type", "source confidence note values years")
        key = words_of(fields["key"])
        if (file, key) in self.parameters:
            raise Problem("is given twice")
        if ("values" in fields) == ("years" in fields):
            raise Problem("has either values or years")
        words_of(fields["zh"]), words_of(fields["unit"])
        convert = converter(fields["type"])
        plain_rows = list_of(fields["values"]) if "values" in fields else _years(fields["years"])
        rows: list[DatedValue[Any]] = []
        for plain in plain_rows:
            row = keys_of(plain, "from to value", "source confidence provisional note")
            rows.append(self._read_row(file, key, {**header, **fields, **row}, convert))
        _check_days(rows)
        self.parameters[file, key] = Dated(file, key, tuple(rows))
        self.types[file, key] = fields["type"] if isinstance(fields["type"], str) else "table"
        self.converters[file, key] = convert

    def _read_row(self, file: str, key: str, row: dict[str, Any], convert: Callable[[Any], Any]) -> DatedValue[Any]:
        start, end = _days(row)
        provisional = row.get("provisional", False)
        if not isinstance(provisional, bool):
            raise Problem("provisional is true or false")
        return DatedValue(
            value=None if row["value"] is None else convert(row["value"]),
            from_=start,
            to=end,
            confidence=self._confidence(row),
            source=self._source(row),
            key=key,
            file=file,
            provisional=provisional,
        )

    def _read_fact(self, entry: Any) -> None:
        fields = keys_of(entry, "key value unit source confidence", "note")
        read_number(fields["value"])
        self._confidence(fields), self._source(fields)

    def _read_rule(self, file: str, entry: Any) -> None:
        fields = keys_of(entry, "id text confidence source")
        if any(rule.file == file and rule.id == fields["id"] for rule in self.rules):
            raise Problem("is given twice")
        rule = Rule(
            file, words_of(fields["id"]), words_of(fields["text"]), self._confidence(fields), self._source(fields)
        )
        self.rules.append(rule)

    def _apply_local_entry(self, entry: Any, seen: set[str]) -> None:
        fields = keys_of(entry, "id file key value confidence reason reviewers decided", "from to year note")
        identifier = words_of(fields["id"])
        if not _LOCAL_ID.fullmatch(identifier) or identifier in seen:
            raise Problem("id is capital letters, digits and hyphens, each once")
        seen.add(identifier)
        words_of(fields["reason"])
        reviewers = [words_of(name).strip().casefold() for name in list_of(fields["reviewers"])]
        if len(reviewers) < 2 or len(set(reviewers)) != len(reviewers):  # noqa: PLR2004 - four eyes
            raise Problem("needs two different reviewers")
        if type(fields["decided"]) is not date:
            raise Problem("decided is a day like 2025-11-23")
        place = (str(fields["file"]), str(fields["key"]))
        if place not in self.parameters:
            raise Problem(f"{place[0]} has no parameter {place[1]}")
        if ("year" in fields) == ("from" in fields or "to" in fields):
            raise Problem("has either year, or from and to")
        days = _years([{"year": fields["year"], "value": None}])[0] if "year" in fields else _keys_from_to(fields)
        start, end = _days(days)
        if fields["value"] is None:
            raise Problem("supplies no value")
        parameter = self.parameters[place]
        local = DatedValue(
            value=self.converters[place](fields["value"]),
            from_=start,
            to=end,
            confidence=_confidence(fields["confidence"]),
            source=(f"LOCAL:{identifier}",),
            key=parameter.key,
            file=parameter.file,
        )
        self.parameters[place] = replace(parameter, rows=_fill(parameter.rows, local))

    def _confidence(self, row: dict[str, Any]) -> Confidence:
        if "confidence" not in row:
            raise Problem("has no confidence")
        return _confidence(row["confidence"])

    def _source(self, row: dict[str, Any]) -> tuple[str, ...]:
        cited = [words_of(name) for name in list_of(row.get("source") or [])]
        if not cited:
            raise Problem("has no source")
        if unknown := [name for name in cited if name not in self._sources]:
            raise Problem(f"cites {', '.join(unknown)}, which {SOURCES_FILE} does not have")
        return tuple(cited)


def _confidence(value: Any) -> Confidence:
    try:
        return Confidence(value)
    except ValueError:
        raise Problem("confidence is certain, likely or assumed") from None


def _years(years: Any) -> list[dict[str, Any]]:
    """Rows by calendar year as rows by day; either ``{2016: "1"}`` or a list of rows with ``year``."""
    if isinstance(years, dict):
        years = [{"year": year, "value": value} for year, value in years.items()]
    rows = []
    for entry in list_of(years):
        row = dict(keys_of(entry, "year value", "source confidence provisional note"))
        year = row.pop("year")
        if type(year) is not int or not 1900 <= year <= 2200:  # noqa: PLR2004 - a calendar year of this law
            raise Problem("year is a calendar year")
        rows.append({**row, "from": date(year, 1, 1), "to": date(year, 12, 31)})
    return rows


def _keys_from_to(fields: dict[str, Any]) -> dict[str, Any]:
    if "from" not in fields or "to" not in fields:
        raise Problem("has either year, or from and to")
    return fields


def _days(row: dict[str, Any]) -> tuple[date, date | None]:
    start, end = row["from"], row["to"]
    for day in (start, end):
        if day is not None and (not isinstance(day, date) or isinstance(day, datetime)):
            raise Problem("from and to are days like 2025-11-23, or null")
    start = date.min if start is None else start
    if end is not None and end < start:
        raise Problem(f"ends before it begins ({start})")
    return start, end


def _check_days(rows: list[DatedValue[Any]]) -> None:
    if not rows:
        raise Problem("has no rows")
    for before, after in pairwise(rows):
        if before.to is None or after.from_ <= before.to:
            raise Problem(f"the row from {after.from_} does not begin after the one before it ends")


def _fill(rows: tuple[DatedValue[Any], ...], local: DatedValue[Any]) -> tuple[DatedValue[Any], ...]:
    """The rows with a local value inside one row that is not known, or that is to be settled again."""
    for place, row in enumerate(rows):
        inside = row.from_ <= local.from_ and (row.to is None or (local.to is not None and local.to <= row.to))
        if (row.value is None or row.provisional) and inside:
            parts = [local]
            if row.from_ < local.from_:
                parts.insert(0, replace(row, to=local.from_ - timedelta(days=1)))
            if local.to is not None and local.to != row.to:
                parts.append(replace(row, from_=local.to + timedelta(days=1)))
            return (*rows[:place], *parts, *rows[place + 1 :])
    raise Problem("may only supply days whose value is null or provisional")


def overlaid(rows: tuple[DatedValue[Any], ...], other: DatedValue[Any]) -> tuple[DatedValue[Any], ...]:
    """The rows with another one over them: what they say of its days is cut out."""
    parts = [other]
    for row in rows:
        if row.from_ < other.from_:
            end = other.from_ - timedelta(days=1)
            parts.append(row if row.to is not None and row.to <= end else replace(row, to=end))
        if other.to is not None and (row.to is None or row.to > other.to):
            start = other.to + timedelta(days=1)
            parts.append(row if row.from_ >= start else replace(row, from_=start))
    return tuple(sorted(parts, key=lambda row: row.from_))
