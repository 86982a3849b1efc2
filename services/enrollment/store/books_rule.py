"""The words in which queries of the rules are written."""

from collections.abc import Sequence

ID = "replace({}::text, '-', '')"
BILL = "'bil_' || " + ID.format("bill_id")


def booked(account: str, kinds: Sequence[str]) -> str:
    """The balance of an account over the entries of some kinds."""
    names = ", ".join(f"'{kind}'" for kind in kinds)
    return (
        "(SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting JOIN ledger_entry ON id = entry_id "  # noqa: S608 - names of ours
        f"WHERE account = '{account}' AND ledger_entry.kind IN ({names}))"
    )


def equal(account: str, rows: str, booked: str) -> str:
    """A rule that compares a sum of rows with the ledger."""
    return (
        f"SELECT '{account}' AS key FROM (SELECT {rows} AS held, {booked} AS booked) AS both_sides WHERE held <> booked"  # noqa: S608 - constant
    )
