"""The law as data: the parameters of ``policy/``, by day, with one version over all of them.

Every file of parameters has one shape, and every parameter declares the type of its values; a file that is not exact
stops the start with all problems listed. A local value file may supply what the files leave ``null``, and nothing else.
What a parameter means is the services' business; this file knows no insurance.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from chassis.policy_files import SOURCES_FILE, UNREADABLE, LawReader, Rule, Source, overlaid, read_sources, read_yaml
from chassis.policy_snapshot import canonical, cited, restored
from chassis.policy_types import Problem
from kernel.calendar import Month
from kernel.dated import Confidence, Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money

if TYPE_CHECKING:
    from chassis.config import Settings

T = TypeVar("T")


class PolicyInvalid(Exception):  # noqa: N818 - it names the state of the files
    """The policy files cannot be used; carries every problem found, each with its file and key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("policy files cannot be used:\n  " + "\n  ".join(problems))
        self.problems = tuple(problems)


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
        plain = {path.name: read_yaml(path, problems) for path in sorted(Path(directory).glob("*.yaml"))}
        if SOURCES_FILE not in plain:
            problems.append(f"{directory}: {SOURCES_FILE} is missing")
        sources = read_sources(plain.pop(SOURCES_FILE, {}), problems)
        local = read_yaml(Path(local_file), problems) if local_file else None
        self._read(plain, local, sources, problems, Path(local_file).name if local_file else "")

    @classmethod
    def of_snapshot(cls, text: str) -> "PolicyStore":
        """The law as a snapshot kept it (:attr:`content`), with the version that it had.

        A parameter that the law did not have yet has no rows: whoever asks for it is refused by its name.

        Raises:
            PolicyInvalid: This release cannot read it any more, with every problem found.
        """
        problems: list[str] = []
        plain, local = restored(text)
        store = cls.__new__(cls)
        known = {name: Source(name, "", "", "", "") for name in cited(plain)}
        store._read(plain, local, known, problems, "local")  # noqa: SLF001 - of this class
        store._is_snapshot = True  # noqa: SLF001 - of this class
        return store

    def _read(
        self, plain: dict[str, Any], local: Any, sources: dict[str, Source], problems: list[str], local_name: str
    ) -> None:
        reader = LawReader(frozenset(sources), problems)
        for name, content in plain.items():
            if content is not UNREADABLE:
                reader.read_file(name, content)
        if local_name and local is not None and local is not UNREADABLE:
            reader.apply_local(local_name, local)
        if problems:
            raise PolicyInvalid(problems)
        self.sources: Mapping[str, Source] = MappingProxyType(sources)
        self.rules: tuple[Rule, ...] = tuple(reader.rules)
        # All that the parameters are read from, as one text; the version is its hash, so it finds a snapshot again.
        self.content = canonical(plain, local)
        self.version = hashlib.sha256(self.content.encode()).hexdigest()
        self._is_snapshot = False
        self._asked: set[tuple[str, str]] | None = None
        # Ids of local values that nobody vouches for: good for a demonstration, never for a payment.
        self.assumed_locally = tuple(
            str(entry["id"]) for entry in (local or {}).get("entries", ()) if entry["confidence"] == "assumed"
        )
        self._parameters = reader.parameters
        self._types = reader.types
        self._converters = reader.converters

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

    def changed(self, file: str, key: str, days: tuple[date, date | None], plain: Any) -> "PolicyStore":
        """This law with another value of one parameter on some days, in memory: what a what-if is computed by.

        Args:
            file: File of the parameter.
            key: Its key.
            days: First and last day of the other value; ``None`` is open.
            plain: The value as the file would write it.

        Raises:
            InvalidInput: POLICY_PARAMETER_UNKNOWN, POLICY_DAYS_INVALID, POLICY_VALUE_INVALID.
        """
        if (file, key) not in self._parameters:
            raise InvalidInput("POLICY_PARAMETER_UNKNOWN", "no file of law has this parameter", field="key", key=key)
        first, last = days
        if last is not None and last < first:
            raise InvalidInput("POLICY_DAYS_INVALID", "the days end before they begin", field="to_date")
        if self._types[file, key] == "integer" and isinstance(plain, str) and plain.isascii() and plain.isdigit():
            plain = int(plain)
        try:
            value = self._converters[file, key](plain)
        except (Problem, TypeError, AttributeError) as problem:
            raise InvalidInput(
                "POLICY_VALUE_INVALID", f"the value is not of the parameter's type: {problem}", field="value"
            ) from None
        if isinstance(value, Money) and value < Money.ZERO:
            raise InvalidInput("POLICY_VALUE_INVALID", "an amount is not negative", field="value")
        other = copy(self)
        before = self._parameters[file, key]
        row = DatedValue(value, first, last, Confidence.ASSUMED, ("WHAT-IF",), key, file)
        other._parameters = {**self._parameters, (file, key): replace(before, rows=overlaid(before.rows, row))}  # noqa: SLF001 - of this class
        other.version = _digest({"law": self.version, "file": file, "key": key, "days": days, "value": plain})
        other.content = ""  # nobody keeps a law that was only asked about
        return other

    def missing(self) -> Iterator[DatedValue[None]]:
        """Every row whose value is not known, in order of file and key."""
        for _, parameter in sorted(self._parameters.items()):
            for row in parameter.rows:
                if row.value is None:
                    yield row

    def parameters(self) -> Mapping[tuple[str, str], Dated[Any]]:
        """Every parameter by its file and key."""
        return MappingProxyType(self._parameters)

    def type_of(self, file: str, key: str) -> str:
        """The word that a parameter declares for its values; ``table`` when they have parts."""
        return self._types[file, key]

    def watched(self) -> "PolicyStore":
        """This law, noting in :attr:`asked` what it is asked for."""
        other = copy(self)
        other._asked = set()  # noqa: SLF001 - of this class
        return other

    @property
    def asked(self) -> frozenset[tuple[str, str]]:
        """File and key of every parameter that a watched law was asked for."""
        return frozenset(self._asked or ())

    def with_rows(self, parameters: Iterable[Dated[Any]], version: str) -> "PolicyStore":
        """This law with other rows of some parameters, in memory, under a version of the caller's."""
        other = copy(self)
        other._parameters = {**self._parameters, **{(one.file, one.key): one for one in parameters}}  # noqa: SLF001 - of this class
        other.version, other.content = version, ""
        return other

    def _typed(self, file: str, key: str, *types: str) -> Dated[Any]:
        if (file, key) in self._types and self._types[file, key] not in types:
            raise LookupError(f"{file}: {key} is not a parameter of type {' or '.join(types)}")
        return self._dated(file, key)

    def _dated(self, file: str, key: str) -> Dated[Any]:
        if self._asked is not None:
            self._asked.add((file, key))
        known = self._parameters.get((file, key))
        if known is not None:
            return known
        if self._is_snapshot:
            return Dated(file, key, ())
        raise LookupError(f"{file} has no parameter {key}")


def release_directory() -> Path:
    """Where the policy files of this release lie: beside the packages, or inside them when installed from a wheel."""
    root = Path(__file__).parents[1]
    packed = root / "ops" / "data" / "policy"
    return packed if packed.is_dir() else root / "policy"


@lru_cache(maxsize=8)
def open_policy(directory: Path | None = None, local_file: Path | None = None) -> PolicyStore:
    """The store of a directory, or of this release, read once per process."""
    return PolicyStore(directory or release_directory(), local_file)


def policy_of(settings: "Settings") -> PolicyStore:
    """The store that a process's settings name.

    Raises:
        PolicyInvalid: Also when production is given values that are only assumed.
    """
    store = open_policy(settings.policy_dir, settings.policy_local)
    if settings.is_prod and store.assumed_locally:
        ids = ", ".join(store.assumed_locally)
        raise PolicyInvalid([f"{settings.policy_local}: production takes no assumed values: {ids}"])
    return store


def _digest(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
