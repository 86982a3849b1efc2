"""What the gates found, shown and exported, and what two persons let pass."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chassis import approval, paging
from kernel import ids
from kernel.errors import AlreadyExists, Forbidden, InvalidInput, NotFound, Refused
from services.benefits.calculation import canonical
from services.benefits.operations import payrolls as payroll_operations
from services.benefits.paying import RELEASABLE
from services.benefits.store import decisions, paying_findings, paying_releases, payrolls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncpg import Record

    from chassis.transaction import Transaction
    from services.benefits.paying import AskFindings, PrepareRelease

KIND = "payroll_release"
REASON_LEAST, REASON_MOST = 2, 200
EXPORT_ROWS = 2_000
COLUMNS = ("benefit_id", "kind", "gate", "effect", "detail")


async def evidence(tx: Transaction, payroll_id: UUID) -> Sequence[Record]:
    """What each gate looked at in a payroll.

    Raises:
        NotFound: PAYROLL_NOT_FOUND.
    """
    await _known(tx, payroll_id)
    return await paying_findings.evidence(tx, payroll_id)


async def findings(tx: Transaction, ask: AskFindings) -> tuple[Sequence[Record], str]:
    """A page of what the gates found in a payroll, and the token of the next.

    Raises:
        NotFound: PAYROLL_NOT_FOUND.
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    await _known(tx, ask.payroll_id)
    query = f"findings {ask.payroll_id} {ask.gate or ''} {ask.effect or ''}"
    page = paging.read(tx, size=ask.size, token=ask.token, query=query)
    rows = await paying_findings.findings(
        tx, ask.payroll_id, gate=ask.gate, effect=ask.effect, after=_after(page.after), limit=page.size + 1
    )
    shown = rows[: page.size]
    tx.audit(tx.method, detail={"payroll_id": ids.to_text("prl", ask.payroll_id), "count": str(len(shown))})
    return shown, paging.following(tx, page, _cursor(shown[-1])) if len(rows) > page.size else ""


async def export(tx: Transaction, payroll_id: UUID, token: str) -> tuple[str, str]:
    """A part of the findings as CSV, and the token of the next; the first part has the names of the columns.

    Raises:
        NotFound: PAYROLL_NOT_FOUND.
        InvalidInput: PAGE_TOKEN_INVALID.
    """
    await _known(tx, payroll_id)
    page = paging.read(tx, size=0, token=token, query=f"findings export {payroll_id}")
    after = _after(page.after)
    rows = await paying_findings.findings(tx, payroll_id, gate=None, effect=None, after=after, limit=EXPORT_ROWS + 1)
    shown = rows[:EXPORT_ROWS]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if after is None:
        writer.writerow(COLUMNS)
    writer.writerows(
        (ids.to_text("ben", row["benefit_id"]), row["kind"], row["gate"], row["effect"], row["detail"]) for row in shown
    )
    tx.audit(tx.method, detail={"payroll_id": ids.to_text("prl", payroll_id), "count": str(len(shown))})
    return out.getvalue(), paging.following(tx, page, _cursor(shown[-1])) if len(rows) > EXPORT_ROWS else ""


async def prepare_release(tx: Transaction, command: PrepareRelease) -> Mapping[str, Any]:
    """Ask that a benefit which a gate held back is paid all the same, first person.

    It counts for the months up to the one in which it was held back, so that a later finding is looked at again.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
        InvalidInput: REASON_REQUIRED.
        Refused: GATE_NOT_RELEASABLE, NOT_HELD_BACK.
        AlreadyExists: RELEASE_PENDING.
    """
    if not REASON_LEAST <= len(command.reason) <= REASON_MOST:
        raise InvalidInput("REASON_REQUIRED", "a reason has 2 to 200 characters", field="reason")
    benefit = await decisions.benefit(tx, command.benefit_id)
    if benefit is None:
        raise NotFound("BENEFIT_NOT_FOUND", "no such benefit")
    if command.gate not in RELEASABLE:
        raise Refused("GATE_NOT_RELEASABLE", "what this gate finds is put right where it stands", gate=command.gate)
    held = await paying_findings.last_held(tx, command.benefit_id, command.gate)
    if held is None:
        raise Refused("NOT_HELD_BACK", "this gate holds nothing of the benefit back", gate=command.gate)
    values = {
        "release_id": ids.new_id(),
        "benefit_id": command.benefit_id,
        "gate": command.gate.value,
        "through_month": held["month"],
        "reason": command.reason,
        "maker": tx.principal.acting_person,
        "state": "PREPARED",
    }
    values["approval_id"] = await approval.request(
        tx, kind=KIND, subject=ids.to_text("rls", values["release_id"]), payload=_payload(values)
    )
    if not await paying_releases.add_release(tx, values, tx.today):
        raise AlreadyExists("RELEASE_PENDING", "a release of the same waits for its second person")
    tx.audit("release_prepared", person_id=benefit.person_id, detail=_detail(values))
    return values


async def decide_release(tx: Transaction, release_id: UUID, *, approve: bool) -> Mapping[str, Any]:
    """Approve or reject a release, second person.

    Raises:
        NotFound: RELEASE_NOT_FOUND.
        Forbidden: SAME_PERSON.
        Refused: RELEASE_CLOSED, APPROVAL_EXPIRED.
    """
    row = await paying_releases.release(tx, release_id)
    if row is None:
        raise NotFound("RELEASE_NOT_FOUND", "no such release")
    if row["state"] != "PREPARED":
        raise Refused("RELEASE_CLOSED", "the release was decided before", state=row["state"])
    checker = tx.principal.acting_person
    if checker == row["maker"] or tx.principal.person_id == row["person_id"]:
        raise Forbidden("SAME_PERSON", "who prepared it, or whom it is for, does not decide it")
    await approval.decide(tx, row["approval_id"], approve=approve)
    if approve:
        await approval.execute(
            tx, row["approval_id"], kind=KIND, subject=ids.to_text("rls", release_id), payload=_payload(row)
        )
    state = "APPROVED" if approve else "REJECTED"
    await paying_releases.decide_release(tx, release_id, state, checker)
    tx.audit("release_decided", person_id=row["person_id"], detail=_detail(row) | {"state": state})
    return {**dict(row), "state": state}


async def _known(tx: Transaction, payroll_id: UUID) -> None:
    if await payrolls.get(tx, payroll_id) is None:
        raise payroll_operations.not_found()


def _payload(values: Mapping[str, Any] | Record) -> bytes:
    names = ("release_id", "benefit_id", "gate", "through_month", "reason")
    return canonical({name: str(values[name]) for name in names}).encode()


def _detail(values: Mapping[str, Any] | Record) -> dict[str, str]:
    return {
        "release_id": ids.to_text("rls", values["release_id"]),
        "benefit_id": ids.to_text("ben", values["benefit_id"]),
        "gate": str(values["gate"]),
    }


def _cursor(row: Record) -> str:
    return f"{row['benefit_id']} {row['gate']}"


def _after(cursor: str) -> tuple[UUID, str] | None:
    benefit_id, _, gate = cursor.partition(" ")
    return (UUID(benefit_id), gate) if gate else None
