"""What must be true of benefits, payments and the ledger at every moment: one query per rule.

The one source of these rules: `CheckBenefitBooks`, `hrss reconcile benefits` and the oracle of the tests run them. Each
room states its own. Most hold of one benefit or of one payroll without the others, and are proved in parts
(docs/decisions/0256).
"""

from collections.abc import Sequence

from chassis import books
from chassis.books import Finding, Rule, finding
from services.benefits.store import books_benefits, books_payments, books_payrolls, keeping_rules
from services.benefits.store.books_words import SPANS

__all__ = ["BY_CODE", "RULES", "SPANS", "Finding", "Rule", "finding", "prove"]

RULES: tuple[Rule, ...] = (
    *books_benefits.RULES,
    *books_payments.RULES,
    *books_payrolls.RULES,
    *keeping_rules.RULES,
)
BY_CODE = {rule.code: rule for rule in RULES}


async def prove(database_url: str) -> Sequence[Finding]:
    """Every rule that does not hold, all of them at one moment, whatever is booked meanwhile."""
    return await books.prove(database_url, RULES, SPANS)
