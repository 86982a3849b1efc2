"""The form of a case under seal, and what the last characters of a number are compared by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.gateway.cases.store.rows import CaseRow


def seal_form(tx: Transaction, case_id: UUID, form: bytes) -> bytes:
    """A form sealed for its case."""
    return tx.database.sealer.seal("case_file", "form", case_id, form)


def open_form(tx: Transaction, row: CaseRow) -> bytes:
    """The form of a case."""
    return tx.database.sealer.open("case_file", "form", row.case_id, row.form_sealed)


def tail_index(tx: Transaction, case_id: UUID, last_four: str) -> bytes:
    """What the last four characters of a number are compared by; for each case another."""
    return tx.database.sealer.blind_index("case_tail", f"{case_id.hex}|{last_four.strip().upper()}")
