"""Participations are announced again (参保关系重新公布), for a service that did not listen to their scheme before.

The outbox keeps its rows for thirty days, and who ignored an event has it noted as heard: `hrss events republish`
brings neither back. So the register says what stands now, as new facts of the same participations: the start, and the
end of those that have ended. Whoever knows them already writes down the same again.
"""

from uuid import UUID

from chassis.transaction import Transaction
from services.enrollment.domain.contributions import Scheme
from services.enrollment.messages import facts
from services.enrollment.store import accounts, announcing

# Schemes that benefits began to listen to later than the others.
LATE = (Scheme.GOVERNMENT_PENSION, Scheme.RESIDENT_PENSION, Scheme.OCCUPATIONAL_ANNUITY)
CHUNK = 500


async def announce(
    tx: Transaction, after: UUID, schemes: tuple[Scheme, ...] = LATE, *, size: int = CHUNK
) -> UUID | None:
    """Announce a run of participations again, in the order of their ids; the last one, none when there is no more."""
    found = await announcing.locked(tx, schemes, after, size)
    for one, division in found:
        tx.emit(facts.participation_started(one, division))
    for one, _ in found:
        if one.end_month is not None and one.end_reason is not None:
            known = await accounts.contributions_version(tx, one.person_id)
            tx.emit(facts.participation_ended(one, one.end_month, one.end_reason, contributions_version=known))
    if not found:
        return None
    tx.audit("AnnounceParticipations", detail={"count": str(len(found))})
    return found[-1][0].participation_id
