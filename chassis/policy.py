"""The law as data: reads the files of ``policy/`` strictly and answers by day.

Every file of parameters has one shape, and every parameter declares the type of its values; an unknown key, a binary
fraction, a value without source or confidence, a cited source that nobody registered, or days out of order stop the
start with all problems listed. A local value file may supply what the files leave ``null``, and nothing else. What a
parameter means is the services' business; this file knows no insurance.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

import yaml

from kernel.calendar import Month
from kernel.dated import Confidence, Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money

T = TypeVar("T")

_SCHEMA = "hrss-policy/1"
_SCHEMA_SOURCES = "hrss-policy-sources/1"
_SCHEMA_LOCAL = "hrss-policy-local/1"
_SOURCES_FILE = "sources.yaml"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?", re.ASCII)
_LOCAL_ID = re.compile(r"[A-Z0-9][A-Z0-9-]{1,40}", re.ASCII)


class PolicyInvalid(Exception):  # noqa: N818 - it names the state of the files
    """The policy files cannot be used; carries every problem found, each with its file and key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("policy files cannot be used:\n  " + "\n  ".join(problems))
        self.problems = tuple(problems)


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


class PolicyStore:
    """All parameters of one directory, with one version over all of them.

    Args:
        directory: The folder of policy files.
        local_file: Values of the bureau for what the files leave ``null``.

    Raises:
        PolicyInvalid: With every problem found.
    """

    def __init__(self, directory: Path, local_file: Path | None = None) -> None:
        problems: list[str] = []
        plain = {path.name: _read_yaml(path, problems) for path in sorted(Path(directory).glob("*.yaml"))}
        if _SOURCES_FILE not in plain:
            problems.append(f"{directory}: {_SOURCES_FILE} is missing")
        sources = _read_sources(plain.pop(_SOURCES_FILE, {}), problems)
        reader = _Reader(frozenset(sources), problems)
        for name, content in plain.items():
            reader.read_file(name, content)
        local = _read_yaml(Path(local_file), problems) if local_file else None
        if local is not None:
            reader.apply_local(cast("Path", local_file).name, local)
        if problems:
            raise PolicyInvalid(problems)
        self.sources: Mapping[str, Source] = MappingProxyType(sources)
        self.rules: tuple[Rule, ...] = tuple(reader.rules)
        self.version = _digest({"files": plain, "local": local})
        self._parameters = reader.parameters
        self._types = reader.types

    def money(self, file: str, key: str) -> Dated[Money]:
        """A parameter whose values are amounts."""
        return self._typed(file, key, "money")

    def rate(self, file: str, key: str) -> Dated[Decimal]:
        """A parameter whose values are rates, factors or other exact numbers."""
        return self._typed(file, key, "rate", "number")

    def integer(self, file: str, key: str) -> Dated[int]:
        """A parameter whose values are whole numbers."""
        return self._typed(file, key, "integer")

    def month(self, file: str, key: str) -> Dated[Month]:
        """A parameter whose values are months."""
        return self._typed(file, key, "month")

    def text(self, file: str, key: str) -> Dated[str]:
        """A parameter whose values are words."""
        return self._typed(file, key, "text", "code")

    def table(self, file: str, key: str, read: Callable[[Any], T]) -> Dated[T]:
        """A parameter whose values have parts; ``read`` turns records and tuples into the caller's value."""
        return self._dated(file, key).map(read)

    def missing(self) -> Iterator[DatedValue[None]]:
        """Every row whose value is not known, in order of file and key."""
        for _, parameter in sorted(self._parameters.items()):
            for row in parameter.rows:
                if row.value is None:
                    yield row

    def _typed(self, file: str, key: str, *types: str) -> Dated[Any]:
        if self._types.get((file, key)) not in types:
            raise LookupError(f"{file}: {key} is not a parameter of type {' or '.join(types)}")
        return self._dated(file, key)

    def _dated(self, file: str, key: str) -> Dated[Any]:
        try:
            return self._parameters[file, key]
        except KeyError:
            raise LookupError(f"{file} has no parameter {key}") from None


def release_directory() -> Path:
    """Where the policy files of this release lie: beside the packages, or inside them when installed from a wheel."""
    root = Path(__file__).parents[1]
    packed = root / "ops" / "data" / "policy"
    return packed if packed.is_dir() else root / "policy"


@lru_cache(maxsize=8)
def open_policy(directory: Path, local_file: Path | None = None) -> PolicyStore:
    """The store of a directory, read once per process."""
    return PolicyStore(directory, local_file)


# Reading --------------------------------------------------------------------------------------------------------------


class _Problem(Exception):  # noqa: N818 - a finding, collected rather than raised to anybody
    """One thing that is wrong, without its place."""


class _Loader(yaml.CSafeLoader):
    """YAML without binary fractions and without a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's signature
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise _Problem(f"line {node.start_mark.line + 1}: a key is given twice")
        return mapping


def _refuse_float(_: yaml.CSafeLoader, node: yaml.ScalarNode) -> None:
    raise _Problem(f"line {node.start_mark.line + 1}: {node.value} must be written as text in quotes")


_Loader.add_constructor("tag:yaml.org,2002:float", _refuse_float)


def _read_yaml(path: Path, problems: list[str]) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - _Loader is a safe loader
    except (OSError, UnicodeError, yaml.YAMLError, ValueError, _Problem) as error:
        problems.append(f"{path.name}: {error}")
        return {}


def _digest(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _keys(mapping: Any, required: str, optional: str = "") -> dict[str, Any]:
    """The mapping, when it has all required keys and none beyond the optional ones."""
    if not isinstance(mapping, dict):
        raise _Problem("must be a mapping")
    must, may = set(required.split()), set(optional.split())
    if absent := must - mapping.keys():
        raise _Problem(f"lacks {', '.join(sorted(absent))}")
    if unknown := [str(key) for key in mapping if key not in must | may]:
        raise _Problem(f"has unknown keys: {', '.join(sorted(unknown))}")
    return mapping


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _Problem("must be a list")
    return value


def _words(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Problem("must be text")
    return value


def _read_sources(content: Any, problems: list[str]) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    try:
        header = _keys(content, "schema compiled sources")
        if header["schema"] != _SCHEMA_SOURCES:
            raise _Problem(f"schema must be {_SCHEMA_SOURCES}")
        for entry in _list(header["sources"]):
            fields = _keys(entry, "id kind title number checked", "issued effective provenance")
            names = [_words(fields[name]) for name in ("id", "kind", "title", "number", "checked")]
            if names[0] in sources:
                raise _Problem(f"{names[0]} is registered twice")
            sources[names[0]] = Source(*names)
    except _Problem as problem:
        problems.append(f"{_SOURCES_FILE}: {problem}")
    return sources


class _Reader:
    """Collects parameters and rules from plain content, noting each problem with its place."""

    def __init__(self, sources: frozenset[str], problems: list[str]) -> None:
        self.parameters: dict[tuple[str, str], Dated[Any]] = {}
        self.types: dict[tuple[str, str], str] = {}
        self.rules: list[Rule] = []
        self._converters: dict[tuple[str, str], Callable[[Any], Any]] = {}
        self._sources = sources
        self._problems = problems

    def read_file(self, file: str, content: Any) -> None:
        try:
            header = _keys(content, "schema title parameters", "source confidence rules facts")
            _keys(header["title"], "zh en")
            if header["schema"] != _SCHEMA:
                raise _Problem(f"schema must be {_SCHEMA}")
            for entry in _list(header["parameters"]):
                self._read_entry(file, entry, "key", lambda item: self._read_parameter(file, item, header))
            for entry in _list(header.get("facts", [])):
                self._read_entry(file, entry, "key", self._read_fact)
            for entry in _list(header.get("rules", [])):
                self._read_entry(file, entry, "id", lambda item: self._read_rule(file, item))
        except _Problem as problem:
            self._problems.append(f"{file}: {problem}")

    def apply_local(self, file: str, content: Any) -> None:
        try:
            header = _keys(content, "schema entries")
            if header["schema"] != _SCHEMA_LOCAL:
                raise _Problem(f"schema must be {_SCHEMA_LOCAL}")
            seen: set[str] = set()
            for entry in _list(header["entries"]):
                self._read_entry(file, entry, "id", lambda item: self._apply_local_entry(item, seen))
        except _Problem as problem:
            self._problems.append(f"{file}: {problem}")

    def _read_entry(self, file: str, entry: Any, name: str, read: Callable[[Any], None]) -> None:
        place = entry.get(name, "?") if isinstance(entry, dict) else "?"
        try:
            read(entry)
        except _Problem as problem:
            self._problems.append(f"{file}: {place}: {problem}")

    def _read_parameter(self, file: str, entry: Any, header: dict[str, Any]) -> None:
        fields = _keys(entry, "key zh unit type", "source confidence note values years")
        key = _words(fields["key"])
        if (file, key) in self.parameters:
            raise _Problem("is given twice")
        if ("values" in fields) == ("years" in fields):
            raise _Problem("has either values or years")
        _words(fields["zh"]), _words(fields["unit"])
        convert = _converter(fields["type"])
        plain_rows = _list(fields["values"]) if "values" in fields else _years(fields["years"])
        rows: list[DatedValue[Any]] = []
        for plain in plain_rows:
            row = _keys(plain, "from to value", "source confidence provisional note")
            rows.append(self._read_row(file, key, {**header, **fields, **row}, convert))
        _check_days(rows)
        self.parameters[file, key] = Dated(file, key, tuple(rows))
        self.types[file, key] = fields["type"] if isinstance(fields["type"], str) else "table"
        self._converters[file, key] = convert

    def _read_row(self, file: str, key: str, row: dict[str, Any], convert: Callable[[Any], Any]) -> DatedValue[Any]:
        start, end = _days(row)
        provisional = row.get("provisional", False)
        if not isinstance(provisional, bool):
            raise _Problem("provisional is true or false")
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
        fields = _keys(entry, "key value unit source confidence", "note")
        _convert_number(fields["value"])
        self._confidence(fields), self._source(fields)

    def _read_rule(self, file: str, entry: Any) -> None:
        fields = _keys(entry, "id text confidence source")
        if any(rule.file == file and rule.id == fields["id"] for rule in self.rules):
            raise _Problem("is given twice")
        rule = Rule(file, _words(fields["id"]), _words(fields["text"]), self._confidence(fields), self._source(fields))
        self.rules.append(rule)

    def _apply_local_entry(self, entry: Any, seen: set[str]) -> None:
        fields = _keys(entry, "id file key value confidence reason reviewers decided", "from to year note")
        identifier = _words(fields["id"])
        if not _LOCAL_ID.fullmatch(identifier) or identifier in seen:
            raise _Problem("id is capital letters, digits and hyphens, each once")
        seen.add(identifier)
        _words(fields["reason"])
        reviewers = [_words(name).strip().casefold() for name in _list(fields["reviewers"])]
        if len(reviewers) < 2 or len(set(reviewers)) != len(reviewers):  # noqa: PLR2004 - four eyes
            raise _Problem("needs two different reviewers")
        if type(fields["decided"]) is not date:
            raise _Problem("decided is a day like 2025-11-23")
        place = (str(fields["file"]), str(fields["key"]))
        if place not in self.parameters:
            raise _Problem(f"{place[0]} has no parameter {place[1]}")
        if ("year" in fields) == ("from" in fields or "to" in fields):
            raise _Problem("has either year, or from and to")
        days = _years([{"year": fields["year"], "value": None}])[0] if "year" in fields else _keys_from_to(fields)
        start, end = _days(days)
        if fields["value"] is None:
            raise _Problem("supplies no value")
        parameter = self.parameters[place]
        local = DatedValue(
            value=self._converters[place](fields["value"]),
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
            raise _Problem("has no confidence")
        return _confidence(row["confidence"])

    def _source(self, row: dict[str, Any]) -> tuple[str, ...]:
        cited = [_words(name) for name in _list(row.get("source") or [])]
        if not cited:
            raise _Problem("has no source")
        if unknown := [name for name in cited if name not in self._sources]:
            raise _Problem(f"cites {', '.join(unknown)}, which {_SOURCES_FILE} does not have")
        return tuple(cited)


def _confidence(value: Any) -> Confidence:
    try:
        return Confidence(value)
    except ValueError:
        raise _Problem("confidence is certain, likely or assumed") from None


def _years(years: Any) -> list[dict[str, Any]]:
    """Rows by calendar year as rows by day; either ``{2016: "1"}`` or a list of rows with ``year``."""
    if isinstance(years, dict):
        years = [{"year": year, "value": value} for year, value in years.items()]
    rows = []
    for entry in _list(years):
        row = dict(_keys(entry, "year value", "source confidence provisional note"))
        year = row.pop("year")
        if type(year) is not int or not 1900 <= year <= 2200:  # noqa: PLR2004 - a calendar year of this law
            raise _Problem("year is a calendar year")
        rows.append({**row, "from": date(year, 1, 1), "to": date(year, 12, 31)})
    return rows


def _keys_from_to(fields: dict[str, Any]) -> dict[str, Any]:
    if "from" not in fields or "to" not in fields:
        raise _Problem("has either year, or from and to")
    return fields


def _days(row: dict[str, Any]) -> tuple[date, date | None]:
    start, end = row["from"], row["to"]
    for day in (start, end):
        if day is not None and (not isinstance(day, date) or isinstance(day, datetime)):
            raise _Problem("from and to are days like 2025-11-23, or null")
    start = date.min if start is None else start
    if end is not None and end < start:
        raise _Problem(f"ends before it begins ({start})")
    return start, end


def _check_days(rows: list[DatedValue[Any]]) -> None:
    if not rows:
        raise _Problem("has no rows")
    for before, after in pairwise(rows):
        if before.to is None or after.from_ <= before.to:
            raise _Problem(f"the row from {after.from_} does not begin after the one before it ends")


def _fill(rows: tuple[DatedValue[Any], ...], local: DatedValue[Any]) -> tuple[DatedValue[Any], ...]:
    """The rows with a local value inside one row that is not known."""
    for place, row in enumerate(rows):
        inside = row.from_ <= local.from_ and (row.to is None or (local.to is not None and local.to <= row.to))
        if row.value is None and inside:
            parts = [local]
            if row.from_ < local.from_:
                parts.insert(0, replace(row, to=local.from_ - timedelta(days=1)))
            if local.to is not None and local.to != row.to:
                parts.append(replace(row, from_=local.to + timedelta(days=1)))
            return (*rows[:place], *parts, *rows[place + 1 :])
    raise _Problem("may only supply days whose value is null")


# Types of values ------------------------------------------------------------------------------------------------------


def _converter(declared: Any) -> Callable[[Any], Any]:
    """The reader of a declared type: a word, ``[type]`` a list, ``{name: type}`` a record; ``?`` allows null."""
    match declared:
        case str():
            return _scalar(declared)
        case [item]:
            read_item = _converter(item)
            return lambda value: tuple(read_item(part) for part in _list(value))
        case dict() if declared:
            parts = {str(name): _converter(part) for name, part in declared.items()}
            return lambda value: MappingProxyType(
                {name: read(_keys(value, " ".join(parts))[name]) for name, read in parts.items()}
            )
        case _:
            raise _Problem("has a type that cannot be read")


def _scalar(word: str) -> Callable[[Any], Any]:
    read = _SCALARS.get(word.removesuffix("?"))
    if read is None:
        raise _Problem(f"has an unknown type {word}")
    if word.endswith("?"):
        return lambda value: None if value is None else read(value)
    return read


def _convert_money(value: Any) -> Money:
    try:
        return Money.yuan(_words(value))
    except InvalidInput as error:
        raise _Problem(error.message) from None


def _convert_number(value: Any) -> Decimal:
    if not _NUMBER.fullmatch(_words(value)):
        raise _Problem(f"{value} is not an exact number")
    return Decimal(value)


def _convert_rate(value: Any) -> Decimal:
    rate = _convert_number(value)
    if not 0 <= rate <= 10:  # noqa: PLR2004 - rates are fractions; a percentage written by mistake is caught here
        raise _Problem(f"{value} is not a rate")
    return rate


def _convert_integer(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise _Problem("must be a whole number")
    return value


def _convert_month(value: Any) -> Month:
    try:
        return Month.parse(_words(value))
    except InvalidInput as error:
        raise _Problem(error.message) from None


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "money": _convert_money,
    "number": _convert_number,
    "rate": _convert_rate,
    "integer": _convert_integer,
    "month": _convert_month,
    "text": _words,
    "code": _words,
}
