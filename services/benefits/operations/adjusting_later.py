"""Adjustments that ran before a pension was determined or went on: whoever retired in time has them all the same.

A run changes what is there when it runs. A pension that is claimed late, or that goes on because a death was none,
joins the runs that stand by their own terms (docs/decisions/0255); nothing is asked of anybody again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.errors import Refused
from kernel.money import Money
from services.benefits.adjusting import ADJUSTABLE, Facts, RunState, Terms, digest_of, statement_of
from services.benefits.calculation import canonical
from services.benefits.domain.adjustment import age_for
from services.benefits.lifecycle import AmountCause
from services.benefits.store import adjusting as store
from services.benefits.store import adjusting_amounts, register
from services.benefits.store.adjusting_amounts import NewAmount, NewCalculation

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.benefits.store.adjusting import Run
    from services.benefits.store.rows import BenefitRow


async def require_no_run(tx: Transaction, row: BenefitRow) -> None:
    """A pension does not begin while a run changes amounts: the run may have passed its place.

    Raises:
        Refused: ADJUSTMENT_OTHER_RUNNING: ask again when it is over.
    """
    if row.kind in ADJUSTABLE and (run := await store.changing_now(tx)):
        raise Refused("ADJUSTMENT_OTHER_RUNNING", "a run changes amounts at this moment", adjustment=run.text_id)


async def join_runs(tx: Transaction, row: BenefitRow) -> bool:
    """Apply to a locked benefit the runs that stand and left it out; whether there were any.

    Amounts are written as those of the run: a reversal finds them, a recomputation follows them.
    """
    if row.kind not in ADJUSTABLE:
        return False
    left_out = [run for run in await store.done_without(tx, row.benefit_id) if _is_for(run, row)]
    if not left_out:
        return False
    person = await register.person(tx, row.person_id)
    months = await adjusting_amounts.contribution_months(tx, row.digest)
    if person is None or months is None:
        return False  # as the run leaves them out
    number = await adjusting_amounts.last_number(tx, row.benefit_id)
    fen = row.monthly.fen
    for run in left_out:
        terms = Terms.from_plain(run.terms)
        facts = Facts(fen, months, max(0, age_for(Month.of(person.birth_date), terms.year)))
        after = statement_of(facts, terms).total.fen
        if after == fen:
            continue
        digest, number = digest_of(terms.digest, row.benefit_id, fen, months, facts.age), number + 1
        inputs = canonical(facts.to_plain())
        first = max(terms.from_month, row.first_month).first_day
        await adjusting_amounts.write(
            tx,
            run,
            AmountCause.ADJUSTED,
            calculations=[NewCalculation(digest, row.kind.value, inputs, run.adjustment_id, after, row.provisional)],
            amounts=[NewAmount(row.benefit_id, number, first, after, digest)],
            differences=[],
            now=[(row.benefit_id, after, digest, row.provisional)],
        )
        fen, row.monthly, row.digest = after, Money(after), digest
    await tx.session.flush()
    return True


def _is_for(run: Run, row: BenefitRow) -> bool:
    january = Month(run.year or 0, 1)
    is_drawn = row.last_month is None or row.last_month >= january
    return row.kind in run.kinds and row.event_month < january and is_drawn and run.state is RunState.DONE
