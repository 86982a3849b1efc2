"""Runs that change many amounts: made, looked at in a dry run, approved by a second person, run, reversed, discarded.

The jobs that do the work are `adjusting_annual`, `adjusting_recompute` and `adjusting_whatif`; here stand the steps of
the people. An approval is bound to the digest of parameters and dry run together: what changes either asks again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chassis import approval, jobs
from kernel import ids
from kernel.errors import AlreadyExists, Forbidden, InvalidInput, NotFound, Refused
from services.benefits.adjusting import (
    AmountsSource,
    Purpose,
    RunState,
    Terms,
    approval_digest,
    kinds_of,
    notice,
    require_digest,
)
from services.benefits.domain.adjustment import demo_amounts, require_plausible
from services.benefits.store import adjusting as store
from services.benefits.store.adjusting import Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chassis.jobs import Job
    from chassis.transaction import Transaction
    from kernel.dated import DatedValue
    from services.benefits.adjusting_commands import CreateAdjustment, Discard, Reverse
    from services.benefits.commands import Approve
    from services.benefits.domain.adjustment import Amounts
    from services.benefits.lifecycle import Kind
    from services.benefits.policy import BenefitsPolicy

APPROVAL, REVERSAL = "adjustment", "adjustment_reversal"
PLAN = {"plan": True}  # the first chunk finds the others
DRY_JOBS = {
    Purpose.ANNUAL: "adjustment_dry_run",
    Purpose.RECOMPUTATION: "recomputation_dry_run",
    Purpose.WHAT_IF: "what_if",
}
RUN_JOBS = {Purpose.ANNUAL: "adjustment", Purpose.RECOMPUTATION: "recomputation"}
REVERSE_JOB = "adjustment_reversal"
YEARS_AHEAD = 1  # a notice of next year may be prepared in this one


async def create(tx: Transaction, command: CreateAdjustment, policy: BenefitsPolicy) -> Run:
    """Make the annual adjustment of a year (年度调整) from the row of law, a notice, or the demonstration's amounts.

    Raises:
        InvalidInput: ADJUSTMENT_YEAR_INVALID, ADJUSTMENT_KIND_INVALID, ADJUSTMENT_DOCUMENT_REQUIRED,
            ADJUSTMENT_AMOUNT_NEGATIVE, ADJUSTMENT_AMOUNT_ABSURD, ADJUSTMENT_PERCENT_ABSURD, ADJUSTMENT_EMPTY.
        AlreadyExists: ADJUSTMENT_EXISTS with the id of the first one.
        Refused: ADJUSTMENT_DEMO_REFUSED in production, ADJUSTMENT_LATER_EXISTS.
        PolicyParameterMissing: The amounts of the year are not known.
    """
    if command.year > tx.today.year + YEARS_AHEAD:
        raise InvalidInput("ADJUSTMENT_YEAR_INVALID", "the year has not come", field="year", year=str(command.year))
    kinds = kinds_of(command.kinds)
    law = _amounts(tx, command, policy)
    require_plausible(law.value)
    run = new_run(tx, Purpose.ANNUAL, kinds, policy, terms=Terms(command.year, law).to_plain())
    run = replace(run, year=command.year, source=command.source)
    if not await store.add(tx, run):
        other = await store.of_year(tx, command.year)
        raise AlreadyExists(
            "ADJUSTMENT_EXISTS",
            "the adjustment of that year exists",
            field="year",
            year=str(command.year),
            adjustment=other.text_id if other else "",
        )
    await _require_no_later(tx, run)
    tx.audit("adjustment_created", detail={"adjustment_id": run.text_id, "year": str(command.year)})
    return run


async def dry_run(tx: Transaction, adjustment_id: UUID) -> Run:
    """Look at what a run would do (试算): a job that stores its result and nothing else; again, it looks anew.

    Raises:
        NotFound: ADJUSTMENT_NOT_FOUND.
        Refused: ADJUSTMENT_STATE_WRONG, ADJUSTMENT_DRY_RUNNING.
    """
    run = await locked(tx, adjustment_id, RunState.DRAFT, RunState.DRY_RUN)
    if run.state is RunState.DRY_RUN and run.digest is None and run.job_id is not None:
        job = await jobs.get(tx, run.job_id)
        if job.ended is None:
            raise Refused("ADJUSTMENT_DRY_RUNNING", "a dry run is at work", job_id=ids.to_text("job", job.id))
    return await start_dry_run(tx, run)


async def start_dry_run(tx: Transaction, run: Run) -> Run:
    """Start the dry run of a locked or new run."""
    job_id = await jobs.start(
        tx, DRY_JOBS[run.purpose], params={"adjustment_id": str(run.adjustment_id)}, chunks=[PLAN]
    )
    await store.change(
        tx,
        run.adjustment_id,
        state=RunState.DRY_RUN.value,
        job_id=job_id,
        dry_runner=tx.principal.acting_person,
        impact=None,
        digest=None,
        approval_id=None,
    )
    tx.audit("adjustment_dry_run", detail={"adjustment_id": run.text_id, "job_id": ids.to_text("job", job_id)})
    return await found(tx, run.adjustment_id)


async def dry_run_done(tx: Transaction, job: Job) -> None:
    """The end of a dry run: its parts add up, and the second person is asked for exactly that."""
    run = await store.get(tx, run_of(job), lock=True)
    assert run is not None
    if run.job_id != job.id or run.state is not RunState.DRY_RUN:
        return  # discarded, or looked at anew in the meantime
    impact = await store.summed(tx, job.id)
    digest = approval_digest(run.purpose, run.terms, [kind.value for kind in run.kinds], impact.digest)
    approval_id = None
    if run.purpose is not Purpose.WHAT_IF:
        approval_id = await _ask(tx, run, digest)
    await store.change(tx, run.adjustment_id, impact=impact, digest=digest, approval_id=approval_id)
    tx.audit("adjustment_dry_run_done", detail={"adjustment_id": run.text_id, "digest": digest.hex()})


async def approve(tx: Transaction, command: Approve) -> Run:
    """Approve a run as it was looked at, second person.

    Raises:
        NotFound: ADJUSTMENT_NOT_FOUND.
        Forbidden: SAME_PERSON.
        Refused: ADJUSTMENT_STATE_WRONG, ADJUSTMENT_NOT_LOOKED_AT, ADJUSTMENT_CHANGED with the digest that counts,
            APPROVAL_EXPIRED.
    """
    run = await locked(tx, command.subject_id, RunState.DRY_RUN)
    if run.purpose is Purpose.WHAT_IF:
        raise Refused("ADJUSTMENT_STATE_WRONG", "a what-if changes nothing", state=run.state.value)
    checker = tx.principal.acting_person
    if checker in {run.maker, run.dry_runner}:
        raise Forbidden("SAME_PERSON", "who prepared the adjustment does not approve it")
    if run.digest is None or run.impact is None or run.approval_id is None:
        raise Refused("ADJUSTMENT_NOT_LOOKED_AT", "the dry run is not over")
    require_digest(command.digest, run.digest)
    # What stands in the row is added up again: nobody approves what somebody changed behind the dry run.
    now = approval_digest(run.purpose, run.terms, [kind.value for kind in run.kinds], run.impact.digest)
    require_digest(command.digest, now)
    await approval.decide(tx, run.approval_id, approve=True)
    await approval.execute(tx, run.approval_id, kind=APPROVAL, subject=_subject(run, now), payload=now)
    await store.change(tx, run.adjustment_id, state=RunState.APPROVED.value, checker=checker, approve_date=tx.today)
    tx.audit("adjustment_approved", detail={"adjustment_id": run.text_id, "digest": now.hex()})
    return await found(tx, run.adjustment_id)


async def start(tx: Transaction, adjustment_id: UUID) -> Run:
    """Start an approved run; the job changes amounts chunk by chunk and may be killed anywhere.

    Raises:
        NotFound: ADJUSTMENT_NOT_FOUND.
        Refused: ADJUSTMENT_STATE_WRONG, ADJUSTMENT_OTHER_RUNNING, ADJUSTMENT_LATER_EXISTS.
    """
    run = await locked(tx, adjustment_id, RunState.APPROVED)
    await _require_alone(tx, run)
    await _require_no_later(tx, run)
    job_id = await jobs.start(tx, RUN_JOBS[run.purpose], params={"adjustment_id": str(adjustment_id)}, chunks=[PLAN])
    await store.change(tx, adjustment_id, state=RunState.RUNNING.value, job_id=job_id)
    tx.audit("adjustment_started", detail={"adjustment_id": run.text_id, "job_id": ids.to_text("job", job_id)})
    return await found(tx, adjustment_id)


async def run_done(tx: Transaction, job: Job) -> None:
    """The end of a run: what it did, added up from its chunks."""
    await store.change(tx, run_of(job), state=RunState.DONE.value, result=await store.summed(tx, job.id))


async def reverse(tx: Transaction, command: Reverse) -> Run:
    """Reverse an adjustment that was run (撤销): one person asks with a reason, a second one confirms.

    Raises:
        NotFound: ADJUSTMENT_NOT_FOUND.
        InvalidInput: REJECTION_REASON_REQUIRED.
        Forbidden: SAME_PERSON.
        Refused: ADJUSTMENT_STATE_WRONG, ADJUSTMENT_CHANGED, ADJUSTMENT_OTHER_RUNNING, ADJUSTMENT_LATER_EXISTS,
            APPROVAL_EXPIRED.
    """
    run = await locked(tx, command.adjustment_id, RunState.DONE)
    if run.purpose is not Purpose.ANNUAL:
        raise Refused("ADJUSTMENT_STATE_WRONG", "a recomputation is corrected by another one", state=run.state.value)
    require_digest(command.digest, run.digest)
    await _require_no_later(tx, run)
    person = tx.principal.acting_person
    payload = b"reverse|" + command.digest
    if run.reversal_maker is None:
        approval_id = await approval.request(tx, kind=REVERSAL, subject=run.text_id, payload=payload)
        await store.change(
            tx,
            run.adjustment_id,
            reversal_maker=person,
            reversal_reason=command.reason,
            reversal_approval_id=approval_id,
        )
        tx.audit("adjustment_reversal_asked", detail={"adjustment_id": run.text_id})
        return await found(tx, run.adjustment_id)
    if person == run.reversal_maker:
        raise Forbidden("SAME_PERSON", "who asked for the reversal does not confirm it")
    await _require_alone(tx, run)
    assert run.reversal_approval_id is not None
    await approval.decide(tx, run.reversal_approval_id, approve=True)
    await approval.execute(tx, run.reversal_approval_id, kind=REVERSAL, subject=run.text_id, payload=payload)
    job_id = await jobs.start(tx, REVERSE_JOB, params={"adjustment_id": str(run.adjustment_id)}, chunks=[PLAN])
    await store.change(tx, run.adjustment_id, state=RunState.REVERSING.value, reversal_checker=person, job_id=job_id)
    tx.audit("adjustment_reversing", detail={"adjustment_id": run.text_id, "job_id": ids.to_text("job", job_id)})
    return await found(tx, run.adjustment_id)


async def reverse_done(tx: Transaction, job: Job) -> None:
    """The end of a reversal."""
    await store.change(tx, run_of(job), state=RunState.REVERSED.value)


async def discard(tx: Transaction, command: Discard) -> Run:
    """Put away a run that changed nothing yet; its year is free again.

    Raises:
        NotFound: ADJUSTMENT_NOT_FOUND.
        Refused: ADJUSTMENT_STATE_WRONG.
    """
    run = await locked(tx, command.adjustment_id, RunState.DRAFT, RunState.DRY_RUN, RunState.APPROVED)
    if run.purpose is not Purpose.WHAT_IF and run.approval_id is not None and run.state is RunState.DRY_RUN:
        await _close_approval(tx, run)
    await store.change(tx, run.adjustment_id, state=RunState.DISCARDED.value)
    tx.audit("adjustment_discarded", detail={"adjustment_id": run.text_id})
    return await found(tx, run.adjustment_id)


# Shared -------------------------------------------------------------------------------------------------------------


def new_run(
    tx: Transaction, purpose: Purpose, kinds: Sequence[Kind], policy: BenefitsPolicy, *, terms: Mapping[str, Any]
) -> Run:
    """A run that nobody has looked at yet."""
    return Run(
        adjustment_id=ids.new_id(),
        purpose=purpose,
        year=None,
        kinds=tuple(kinds),
        state=RunState.DRAFT,
        source=AmountsSource.POLICY,
        terms=dict(terms),
        policy_version=policy.version,
        maker=tx.principal.acting_person,
        create_date=tx.today,
        job_id=None,
        dry_runner=None,
        impact=None,
        digest=None,
        approval_id=None,
        checker=None,
        approve_date=None,
        result=None,
        reversal_maker=None,
        reversal_reason="",
        reversal_approval_id=None,
        reversal_checker=None,
    )


async def found(tx: Transaction, adjustment_id: UUID) -> Run:
    """A run.

    Raises:
        NotFound: ADJUSTMENT_NOT_FOUND.
    """
    run = await store.get(tx, adjustment_id)
    if run is None:
        raise not_found()
    return run


async def locked(tx: Transaction, adjustment_id: UUID, *states: RunState) -> Run:
    """A run in one of some states, locked.

    Raises:
        NotFound: ADJUSTMENT_NOT_FOUND.
        Refused: ADJUSTMENT_STATE_WRONG.
    """
    run = await store.get(tx, adjustment_id, lock=True)
    if run is None:
        raise not_found()
    if run.state not in states:
        raise Refused("ADJUSTMENT_STATE_WRONG", "the adjustment is not where this step begins", state=run.state.value)
    return run


def run_of(job: Job) -> UUID:
    """The run of a job."""
    return UUID(job.params["adjustment_id"])


def not_found() -> NotFound:
    """There is no such run."""
    return NotFound("ADJUSTMENT_NOT_FOUND", "no such adjustment")


def _amounts(tx: Transaction, command: CreateAdjustment, policy: BenefitsPolicy) -> DatedValue[Amounts]:
    match command.source:
        case AmountsSource.POLICY:
            return policy.adjustment.of_year(command.year)
        case AmountsSource.DEMO:
            if tx.database.settings.is_prod:
                raise Refused("ADJUSTMENT_DEMO_REFUSED", "demonstration amounts are never paid")
            return demo_amounts(policy.adjustment, command.year)
        case AmountsSource.NOTICE:
            if not command.document or command.amounts is None:
                raise InvalidInput(
                    "ADJUSTMENT_DOCUMENT_REQUIRED",
                    "amounts of a notice come with its number",
                    field="amounts" if command.document else "notice_no",
                )
            return notice(command.amounts, command.year, command.document)


async def _require_no_later(tx: Transaction, run: Run) -> None:
    if run.year is not None and (later := await store.later_year(tx, run.year)):
        raise Refused("ADJUSTMENT_LATER_EXISTS", "a later year was adjusted on top of it", year=str(later))


async def _require_alone(tx: Transaction, run: Run) -> None:
    if other := await store.is_changing(tx, run.adjustment_id):
        raise Refused(
            "ADJUSTMENT_OTHER_RUNNING", "another run changes amounts at this moment", adjustment=other.text_id
        )


async def _ask(tx: Transaction, run: Run, digest: bytes) -> UUID:
    """Ask the second person in the name of the maker; a dry run that finds the same as before asks once."""
    await _close_same(tx, run, digest)
    return await approval.request(tx, kind=APPROVAL, subject=_subject(run, digest), payload=digest, maker=run.maker)


async def _close_same(tx: Transaction, run: Run, digest: bytes) -> None:
    await tx.execute(
        "UPDATE approval SET state = 'EXPIRED' WHERE kind = $1 AND subject = $2 AND state = 'PENDING'",
        APPROVAL,
        _subject(run, digest),
    )


async def _close_approval(tx: Transaction, run: Run) -> None:
    assert run.digest is not None
    await _close_same(tx, run, run.digest)


def _subject(run: Run, digest: bytes) -> str:
    return f"{run.text_id}/{digest.hex()}"
