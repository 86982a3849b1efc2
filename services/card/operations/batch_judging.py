"""The third level of a batch's checks: whether a row fits the register. The dry run and the run ask the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chassis.jobs import Reject
from services.card import batch_file
from services.card.batch_file import TEXTS, RowWrong
from services.card.batches import Found, Part, Source, digest_of
from services.card.domain.issuing import obstacle
from services.card.store import batches as store
from services.card.store.holders import TABLE as HOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.card.batch_file import Named
    from services.card.batches import Batch
    from services.card.operations.office import Office
    from services.card.store.batches import Candidate

UNKNOWN, MISMATCH, REPEATED = "PERSON_UNKNOWN", "NAME_MISMATCH", "ROW_REPEATED"


@dataclass(slots=True)
class Judged:
    """The verdicts on the rows of a part: each row is in one of the three."""

    ready: list[tuple[int, Candidate]] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)
    skipped: set[int] = field(default_factory=set)

    @property
    def found(self) -> Found:
        """How many of each."""
        return Found(len(self.ready), len(self.rejected), len(self.skipped))

    @property
    def rejects(self) -> Sequence[Reject]:
        """The rows that have no card, with the reason for people."""
        return [Reject(row, code, *TEXTS[code]) for row, code in sorted(self.rejected.items())]

    def digest(self) -> bytes:
        """Of the verdicts, row by row."""
        verdicts = {row: one.person_id.bytes for row, one in self.ready}
        verdicts |= {row: code.encode() for row, code in self.rejected.items()}
        verdicts |= dict.fromkeys(self.skipped, b"SKIPPED")
        return digest_of(b"%d " % row + verdict for row, verdict in sorted(verdicts.items()))


async def judge(tx: Transaction, batch: Batch, part: Part, office: Office, *, lock: bool) -> Judged:
    """Judge the rows of a part; with the lock, holders stay as they are until this commits."""
    judged = Judged()
    if batch.source is Source.REGISTER:
        rows = dict(enumerate(part.persons, part.first_row))
        known = {one.person_id: one for one in await store.candidates(tx, persons=part.persons, lock=lock)}
        wanted = {row: known[person] for row, person in rows.items()}  # no role may delete a holder
    else:
        wanted = await _named(tx, batch, part, judged, office, lock=lock)
    # Asked after the lock was had, and as a statement of its own: it sees what the one before us committed.
    there = await store.with_card(tx, [one.person_id for one in wanted.values()])
    for row, one in wanted.items():
        if one.person_id in there:
            judged.skipped.add(row)
        elif code := obstacle(one.standing):
            judged.rejected[row] = code
        else:
            judged.ready.append((row, one))
    return judged


async def _named(
    tx: Transaction, batch: Batch, part: Part, judged: Judged, office: Office, *, lock: bool
) -> dict[int, Candidate]:
    """The holders whom the rows of a file name."""
    judged.skipped |= await store.done_before(tx, batch, part.first_row, part.row_count)
    sealer = tx.database.sealer
    named: dict[int, tuple[bytes, Named]] = {}
    for row, line in enumerate(part.lines, part.first_row):
        if row in judged.skipped:
            continue
        try:
            one = batch_file.read_row(line, tx.today, allow_test_region=not office.is_production)
        except RowWrong as wrong:
            judged.rejected[row] = wrong.code
            continue
        if row in part.repeated:
            judged.rejected[row] = REPEATED
        else:
            named[row] = sealer.blind_index("id_no", one.id_no), one
    indexes = [index for index, _ in named.values()]
    known = {one.id_no_index: one for one in await store.candidates(tx, indexes=indexes, lock=lock)}
    wanted = {}
    for row, (index, one) in named.items():
        candidate = known.get(index)
        if candidate is None:
            judged.rejected[row] = UNKNOWN
        elif sealer.open_text(HOLDER, "name", candidate.person_id, candidate.name_sealed) != one.name:
            judged.rejected[row] = MISMATCH
        else:
            wanted[row] = candidate
    return wanted
