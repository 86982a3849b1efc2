"""The worker: takes steps whose turn has come and calls their services, once for each step whatever dies in between.

Any number of gateways share the work: a step is taken with a lease by the database's clock, and whoever died leaves it
to another when the lease ends. The request id of a call is made of case and step, so a call that was answered and not
written down is answered again from the service's stored reply. Written down is only what the holder of the lease has.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from chassis import crash, telemetry, transaction
from chassis.client import Deadline
from chassis.logs import get_logger
from chassis.principal import Principal
from chassis.problems import Fault, is_retryable
from kernel.errors import Conflict, DomainError, Unavailable
from services.gateway.cases import store
from services.gateway.cases.domain.states import StepState
from services.gateway.cases.effects import all as catalog
from services.gateway.cases.effects.model import Outcome
from services.gateway.cases.operations import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from google.protobuf.message import Message

    from chassis.database import Database
    from services.gateway.cases.desk import Desk
    from services.gateway.cases.effects.model import Step, Work
    from services.gateway.cases.store import CaseRow, StepRow, Taken
    from services.gateway.edge.backends import Guarded

log = get_logger(__name__)

SIDE_BY_SIDE = 4  # calls under way; each takes a database connection only before and after
CALL_SECONDS = 5.0  # as for anybody else
LEASE_SECONDS = 15.0  # a call with its two transactions, and a good deal more
POLL_SECONDS = 1.0  # steps of other gateways, and those whose pause is over, are found by looking
PAUSE_FIRST_SECONDS, PAUSE_MAX_SECONDS = 0.2, 60.0
# After so many tries that the service answered "not now", somebody should look: about twelve minutes.
CONFLICTS_MAX = 20
AWAY_SECONDS = 1.0
_SYSTEM = Principal.system("cases")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Job:
    """A step with all that its call is made from."""

    taken: Taken
    row: CaseRow
    work: Work
    own: StepRow
    step: Step
    request: Message | None
    request_id: str


class Worker:
    """Works on the steps of all cases.

    Args:
        database: The gateway's.
        backends: The way to each service.
        desk: Shared with the RPCs of this process.
        today: The business day.
    """

    def __init__(
        self, database: Database, backends: Mapping[str, Guarded], desk: Desk, today: Callable[[], date]
    ) -> None:
        self._database = database
        self._backends = backends
        self._desk = desk
        self._today = today
        self.lease_seconds = LEASE_SECONDS

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; what was begun is finished."""
        async with asyncio.TaskGroup() as group:
            for _ in range(SIDE_BY_SIDE):
                group.create_task(self._work(stop))

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if not await self.run_one():
                    await self._wait()
            except Unavailable:
                await asyncio.sleep(AWAY_SECONDS)
            except Exception:
                log.exception("case_worker_failed")
                await asyncio.sleep(AWAY_SECONDS)

    async def run_one(self) -> bool:
        """Take one step and work on it; False when there is nothing to do."""
        self._desk.work_added.clear()
        async with self._database.connection() as connection:
            row = await connection.fetchrow(store.TAKE, self.lease_seconds)
        if row is None:
            return False
        crash.at("case_step_taken")
        await self.run_step(store.Taken(row["case_id"], row["name"], row["attempts"]))
        self._desk.moved(row["case_id"])
        return True

    async def run_step(self, taken: Taken) -> None:
        """Work on a step that was taken, unless it is not ours any more."""
        job = await self._transaction("case step read", lambda tx: self._read(tx, taken), read_only=True)
        if job is None:
            return
        attributes = {"hrss.case.id": job.row.text_id, "hrss.case.step": taken.name}
        with telemetry.remote(job.own.traceparent), telemetry.span("case step", attributes=attributes):
            try:
                outcome = await self._call(job)
            except (DomainError, Fault) as error:
                await self._failed(job, error)
                return
            crash.at("case_step_called")
            await self._transaction("case step done", lambda tx: self._done(tx, job, outcome))
        crash.at("case_step_done")

    async def _read(self, tx: transaction.Transaction, taken: Taken) -> _Job | None:
        """What the step is made from; None when it was taken from us, or given up, before we began."""
        row = await store.get(tx, taken.case_id)
        steps = await store.steps(tx, taken.case_id)
        own = next(step for step in steps if step.name == taken.name)
        if own.state is not StepState.WORKING or own.attempts != taken.attempts:
            log.warning("case_step_lost", case=row.text_id, step=taken.name)
            return None
        step = catalog.ITEMS[row.code].step(taken.name)
        work = progress.work_of(tx, row, steps)
        # A corrected form is another request: under the old id its service would refuse it, or answer for the old one.
        corrections = await store.corrections(tx, taken.case_id)
        request_id = f"{row.text_id}:{taken.name}" + (f":{corrections}" if corrections else "")
        return _Job(taken, row, work, own, step, step.build(work), request_id)

    async def _call(self, job: _Job) -> Outcome | None:
        """Call the service in the name of whoever caused the phase; None where there is nothing to do.

        Raises:
            DomainError, Fault: As the service answers.
        """
        if job.request is None:
            return None
        request: Any = job.request
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            request.request_id = job.request_id
        by_family = job.own.principal.get("delegation_id") or job.row.applicant.get("delegation_id", "")
        is_theirs = bool(by_family) and job.own.principal["subject"] == job.row.applicant["subject"]
        purpose = f"case {job.row.code}" + (f" by {by_family}" if is_theirs else "")
        principal = store.of_snapshot(job.own.principal, purpose=purpose, case_no=job.row.shown_no)
        today = self._today()
        day = job.own.business_date
        reply = await self._backends[job.step.service].call(
            job.step.path,
            request.SerializeToString(deterministic=True),
            principal=principal,
            # The day on which it was caused, as long as services believe it: an application keeps its day at midnight.
            today=day if day == today - _DAY else today,
            deadline=Deadline.after(CALL_SECONDS),
            priority="staff" if principal.is_staff else "citizen",
            request_id=job.request_id,
        )
        return job.step.read(job.work, job.step.reply(reply.body))

    async def _done(self, tx: transaction.Transaction, job: _Job, outcome: Outcome | None) -> None:
        row = await self._held(tx, job)
        if row is None:
            return
        state = StepState.SKIPPED if outcome is None else StepState.DONE
        await store.end_step(
            tx,
            row.case_id,
            job.step.name,
            state,
            result_id=outcome.result_id if outcome else "",
            kept=outcome.keep if outcome else {},
            trace_id=telemetry.trace_id(),
        )
        if outcome is not None:
            row.result_id = outcome.result_id or row.result_id
            row.person_id = outcome.person_id or row.person_id
            if outcome.statement:
                row.statement, row.statement_digest = outcome.statement, outcome.digest
            await store.save(tx, row)
            await progress.note(tx, row, "step_done", step=job.step.name)
        await progress.advance(tx, self._desk, row)

    async def _failed(self, job: _Job, error: DomainError | Fault) -> None:
        """Try again later what may succeed; what the service refuses is refused, or exists already."""
        attempts = job.taken.attempts
        if not isinstance(error, Fault) and error.reason in job.step.done_on:
            await self._transaction("case step done", lambda tx: self._done(tx, job, Outcome()))
            return
        may_come = is_retryable(error) or isinstance(error, Fault)
        is_answer = isinstance(error, Conflict) or (isinstance(error, Fault) and not is_retryable(error))
        if may_come and not (is_answer and attempts % CONFLICTS_MAX == 0):
            await self._later(job, error)
            return
        code = error.reason if isinstance(error, DomainError) else "INTERNAL"
        values = error.metadata if isinstance(error, DomainError) else {}
        log.info("case_step_refused", case=job.row.text_id, step=job.step.name, reason=code)
        await self._transaction("case step refused", lambda tx: self._refused(tx, job, code, values))

    async def _later(self, job: _Job, error: DomainError | Fault) -> None:
        asked = (error.retry_after or 0.0) if isinstance(error, DomainError) else 0.0
        pause = max(asked, PAUSE_FIRST_SECONDS * 2.0 ** min(job.taken.attempts - 1, 20))
        log.info(
            "case_step_again",
            case=job.row.text_id,
            step=job.step.name,
            attempt=job.taken.attempts,
            reason=error.reason,
        )
        async with self._database.connection() as connection:
            await connection.execute(
                store.LATER,
                job.row.case_id,
                job.step.name,
                job.taken.attempts,
                min(pause, PAUSE_MAX_SECONDS),
                error.reason,
                telemetry.trace_id(),
            )

    async def _refused(self, tx: transaction.Transaction, job: _Job, code: str, values: Mapping[str, str]) -> None:
        row = await self._held(tx, job)
        if row is not None:
            await progress.refuse(tx, self._desk, row, job.step.name, code=code, values=values)

    async def _held(self, tx: transaction.Transaction, job: _Job) -> CaseRow | None:
        """The case, locked, while the step is still ours; None when another has taken it over."""
        row = await store.get(tx, job.row.case_id, lock=True)
        steps = await store.steps(tx, job.row.case_id)
        own = next(step for step in steps if step.name == job.step.name)
        if own.state is not StepState.WORKING or own.attempts != job.taken.attempts:
            log.warning("case_step_lost", case=row.text_id, step=job.step.name)
            return None
        return row

    async def _transaction(self, method: str, work: Callable[[transaction.Transaction], Any], **given: Any) -> Any:
        return await transaction.run(
            self._database, work, principal=_SYSTEM, today=self._today(), method=method, **given
        )

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._desk.work_added.wait()
        except TimeoutError:
            pass
