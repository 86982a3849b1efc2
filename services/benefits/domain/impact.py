"""What a change of amounts means for people and funds: counts and sums in bands, the least and the most, a few samples.

Impacts of parts add up to the impact of the whole, in any order and however the parts were cut: sums are integers, the
fingerprint is a sum too, and the samples are those whose rank, a hash of the benefit, is lowest. Nobody is named.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.int64]

SAMPLES = 10  # people whose statements a decision is looked at with
AGES = (60, 65, 70, 75, 80)  # lower ends of the bands of age
AMOUNTS = (100_000, 200_000, 300_000, 400_000, 500_000, 600_000)  # lower ends of the bands of what was paid before, fen
_WRAP = 1 << 256  # fingerprints add up modulo this


@dataclass(frozen=True, slots=True)
class Sums:
    """A band: people, what they get more each month, what is owed for months before, what was paid too much; fen."""

    persons: int = 0
    monthly_fen: int = 0
    back_fen: int = 0
    over_fen: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.persons + other.persons,
            self.monthly_fen + other.monthly_fen,
            self.back_fen + other.back_fen,
            self.over_fen + other.over_fen,
        )


@dataclass(frozen=True, slots=True, order=True)
class Sample:
    """A person as a sample: nothing that names them, and what their statements are made from.

    Args:
        rank: The hash that chose them, hex.
        kind: Kind of the benefit.
        before_fen: What was paid each month.
        after_fen: What would be.
        facts: What the statement is made from again, or the statements themselves.
    """

    rank: str
    kind: str = field(compare=False)
    before_fen: int = field(compare=False)
    after_fen: int = field(compare=False)
    facts: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True, slots=True)
class People:
    """People of one part, as columns; ``facts`` are asked for the few who become samples."""

    keys: Sequence[bytes]
    kinds: Sequence[str]
    age: Column
    before: Column
    after: Column
    back: Column  # fen owed for months before, or, below zero, paid too much


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change means.

    Args:
        total: Everybody.
        gaining: How many get more each month.
        losing: How many get less.
        least: The smallest change of a month in fen; ``None`` of nobody.
        most: The largest.
        by: Sums by ``kind``, ``age`` and ``amount``, each by its band.
        refused: People left out, by the reason.
        samples: The lowest ranks.
        fold: Fingerprint over benefit, before, after and back pay of everybody.
    """

    total: Sums = Sums()
    gaining: int = 0
    losing: int = 0
    least: int | None = None
    most: int | None = None
    by: Mapping[str, Mapping[str, Sums]] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    fold: int = 0

    def __add__(self, other: "Impact") -> "Impact":
        return Impact(
            total=self.total + other.total,
            gaining=self.gaining + other.gaining,
            losing=self.losing + other.losing,
            least=min((one for one in (self.least, other.least) if one is not None), default=None),
            most=max((one for one in (self.most, other.most) if one is not None), default=None),
            by={name: _merged(self.by.get(name, {}), other.by.get(name, {})) for name in sorted({*self.by, *other.by})},
            refused={
                code: self.refused.get(code, 0) + other.refused.get(code, 0)
                for code in sorted({*self.refused, *other.refused})
            },
            samples=tuple(sorted((*self.samples, *other.samples))[:SAMPLES]),
            fold=(self.fold + other.fold) % _WRAP,
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 over what decides: the sums of everybody, who was left out, the fingerprint."""
        content = (self.total, self.gaining, self.losing, self.least, self.most, sorted(self.refused.items()))
        return hashlib.sha256(f"{content}|{self.fold:064x}".encode()).digest()

    def to_plain(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "total": _plain(self.total),
            "gaining": self.gaining,
            "losing": self.losing,
            "least": self.least,
            "most": self.most,
            "by": {name: {band: _plain(one) for band, one in bands.items()} for name, bands in self.by.items()},
            "refused": dict(self.refused),
            "samples": [[one.rank, one.kind, one.before_fen, one.after_fen, dict(one.facts)] for one in self.samples],
            "fold": f"{self.fold:064x}",
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `to_plain` wrote."""
        return cls(
            total=Sums(*plain["total"]),
            gaining=plain["gaining"],
            losing=plain["losing"],
            least=plain["least"],
            most=plain["most"],
            by={name: {band: Sums(*one) for band, one in bands.items()} for name, bands in plain["by"].items()},
            refused=plain["refused"],
            samples=tuple(Sample(*one) for one in plain["samples"]),
            fold=int(plain["fold"], 16),
        )


def impact(people: People, facts_of: Callable[[int], Mapping[str, Any]] | None = None, **refused: int) -> Impact:
    """The impact on some people.

    Args:
        people: Columns of one length.
        facts_of: What the statements of a row are made from, asked for samples; without it there are none.
        refused: How many were left out, by reason.
    """
    left_out = {code: count for code, count in refused.items() if count}
    if not len(people.keys):
        return Impact(refused=left_out)
    change = people.after - people.before
    hashes = [
        hashlib.sha256(key + b"|%d|%d|%d" % row).digest()
        for key, row in zip(
            people.keys,
            zip(people.before.tolist(), people.after.tolist(), people.back.tolist(), strict=True),
            strict=True,
        )
    ]
    samples: list[Sample] = []
    if facts_of is not None:
        # The rank does not depend on amounts: the same people are looked at in every dry run.
        ranks = sorted((hashlib.sha256(b"sample" + key).hexdigest(), row) for row, key in enumerate(people.keys))
        samples = [
            Sample(rank, people.kinds[row], int(people.before[row]), int(people.after[row]), facts_of(row))
            for rank, row in ranks[:SAMPLES]
        ]
    columns = (change, np.maximum(people.back, 0), np.maximum(-people.back, 0))
    return Impact(
        total=Sums(len(change), *(int(column.sum()) for column in columns)),
        gaining=int((change > 0).sum()),
        losing=int((change < 0).sum()),
        least=int(change.min()),
        most=int(change.max()),
        by={
            "kind": _banded(np.array(people.kinds), columns),
            "age": _banded(np.array(_labels(AGES))[np.digitize(people.age, AGES)], columns),
            "amount": _banded(np.array(_labels(AMOUNTS, 100))[np.digitize(people.before, AMOUNTS)], columns),
        },
        refused=left_out,
        samples=tuple(samples),
        fold=sum(int.from_bytes(one, "big") for one in hashes) % _WRAP,
    )


def _banded(labels: npt.NDArray[np.str_], columns: Sequence[Column]) -> dict[str, Sums]:
    names, places = np.unique(labels, return_inverse=True)
    counts = np.bincount(places, minlength=len(names))
    found = {}
    for place, name in enumerate(names.tolist()):
        mine = places == place
        found[name] = Sums(int(counts[place]), *(int(column[mine].sum()) for column in columns))
    return found


def _labels(ends: Sequence[int], unit: int = 1) -> list[str]:
    """Names of the bands below, between and from the ends: "0-59", "60-64", …, "80+"."""
    shown = [end // unit for end in ends]
    inner = [f"{low}-{high - 1}" for low, high in zip([0, *shown], shown, strict=False)]
    return [*inner, f"{shown[-1]}+"]


def _merged(one: Mapping[str, Sums], other: Mapping[str, Sums]) -> dict[str, Sums]:
    return {band: one.get(band, Sums()) + other.get(band, Sums()) for band in sorted({*one, *other})}


def _plain(one: Sums) -> list[int]:
    return [one.persons, one.monthly_fen, one.back_fen, one.over_fen]
