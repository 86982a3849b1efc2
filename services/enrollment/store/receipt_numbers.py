"""Numbers of receipts that do not come through the bureau's gate: one number is one receipt, whatever it paid."""

from chassis.transaction import Transaction


async def take(tx: Transaction, receipt_no: str, used_for: str) -> bool:
    """Use a number for a payment, project, platform's month, run or list; False when anything has it."""
    return (
        await tx.execute(
            """
            INSERT INTO single_receipt (receipt_no, used_for)
            SELECT $1::text, $2::text WHERE NOT EXISTS (SELECT FROM collected WHERE receipt_no = $1)
            ON CONFLICT (receipt_no) DO NOTHING
            """,
            receipt_no,
            used_for,
        )
        == 1
    )
