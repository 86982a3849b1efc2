"""Two records of one person become one, and two again."""

from collections.abc import Mapping
from typing import Any

from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.errors import NotFound, Refused
from services.enrollment import persons as rules
from services.enrollment.messages import facts as said
from services.enrollment.persons import Merge
from services.enrollment.store import people, persons, persons_merge
from services.enrollment.store import persons_duplicates as duplicates


async def check(tx: Transaction, command: Merge) -> None:
    """Check a merger against both records, locked in the order of their ids.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        Refused: PERSONS_SAME, PERSON_MERGED, MERGE_STANDING, MERGE_STILL_INSURED, MERGE_MONTHS_COLLIDE with the months,
            MERGE_ACCOUNTS_COLLIDE, MERGE_OTHER_RECORDS with what the other record has beside.
    """
    both = {command.survivor_id, command.other_id}
    if len(both) == 1:
        raise Refused("PERSONS_SAME", "a record cannot be merged with itself", field="other_person_id")
    if await people.lock(tx, sorted(both)) != both:
        raise person_not_found()
    for one in both:
        if await persons.merged_into(tx, one) is not None:
            raise Refused("PERSON_MERGED", "one of the records went up in another already")
    if await persons_merge.is_survivor(tx, command.other_id):
        raise Refused("PERSON_MERGED", "a record in which another went up has to be the survivor")
    if names := await persons_merge.elsewhere(tx, command.other_id):
        raise Refused("MERGE_OTHER_RECORDS", "the record holds what no merger can move", records=" ".join(names))
    rules.check_merge(
        await persons_merge.record(tx, command.survivor_id), await persons_merge.record(tx, command.other_id)
    )


async def apply(tx: Transaction, command: Merge) -> None:
    """Merge two records that were checked."""
    await check(tx, command)
    await persons_merge.merge(tx, command.survivor_id, command.other_id)
    await duplicates.decide_duplicate(tx, command.survivor_id, command.other_id, "MERGED", command.evidence)
    tx.emit(said.persons_merged(command.other_id, command.survivor_id))
    _audit(tx, "MergePersons", command)


async def check_undo(tx: Transaction, command: Merge) -> Mapping[str, Any]:
    """Check that a merger can be taken back; what it moved.

    Raises:
        NotFound: MERGE_NOT_FOUND.
        Refused: UNMERGE_LATER_FACTS.
    """
    both = {command.survivor_id, command.other_id}
    await people.lock(tx, sorted(both))
    moved = await persons_merge.standing_merge(tx, command.survivor_id, command.other_id)
    if moved is None:
        raise NotFound("MERGE_NOT_FOUND", "these two records are not merged")
    if not await persons_merge.is_untouched(tx, command.survivor_id, moved):
        raise Refused("UNMERGE_LATER_FACTS", "something was recorded since that belongs to both records")
    return moved


async def undo(tx: Transaction, command: Merge) -> None:
    """Take a merger back that was checked."""
    moved = await check_undo(tx, command)
    await persons_merge.unmerge(tx, command.survivor_id, command.other_id, moved)
    await duplicates.decide_duplicate(tx, command.survivor_id, command.other_id, "OPEN", command.evidence)
    tx.emit(said.persons_unmerged(command.other_id, command.survivor_id))
    _audit(tx, "UnmergePersons", command)


def _audit(tx: Transaction, action: str, command: Merge) -> None:
    for one, other in ((command.survivor_id, command.other_id), (command.other_id, command.survivor_id)):
        detail = {"other_person_id": ids.to_text("per", other), "evidence": command.evidence}
        tx.audit(action, person_id=one, detail=detail)
