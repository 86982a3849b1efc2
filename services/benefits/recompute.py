"""`python -m services.benefits.recompute BENEFIT_ID`: computes a benefit's amounts again from what is stored, and ends.

What was found is written as JSON; exit code 0 when everything is equal, 1 with the first difference, 2 when nobody
could look (no such benefit, a missing parameter).
"""

import asyncio
import json
import sys
from datetime import UTC, datetime

from chassis import transaction
from chassis.config import Settings, load
from chassis.database import Database
from chassis.policy import policy_of
from chassis.principal import Principal
from kernel import ids
from kernel.calendar import shanghai_day
from kernel.errors import DomainError
from services.benefits.operations import proving
from services.benefits.operations.proving import Proof
from services.benefits.policy import BenefitsPolicy

DIFFERS, NOT_COMPUTED = 1, 2


async def prove(settings: Settings, text: str) -> Proof:
    """The proof of one benefit, by the law that the settings name."""
    benefit_id = ids.parse("ben", text)
    policy = BenefitsPolicy(policy_of(settings))
    database = Database(settings)
    try:
        found: Proof = await transaction.run(
            database,
            lambda tx: proving.prove(tx, benefit_id, policy),
            principal=Principal.system("recompute"),
            today=shanghai_day(datetime.now(UTC)),
            read_only=True,
        )
    finally:
        await database.close()
    return found


def main(settings: Settings, text: str) -> int:
    """Write what was found; the exit code says it too."""
    try:
        found = asyncio.run(prove(settings, text))
    except DomainError as refusal:
        sys.stdout.write(json.dumps({"refused": refusal.reason, **refusal.metadata}, ensure_ascii=False) + "\n")
        return NOT_COMPUTED
    one = found.difference
    shown = (
        None
        if one is None
        else {"from_month": str(one.from_month), "path": one.path, "stored": one.stored, "computed": one.computed}
    )
    said = {
        "equal": one is None,
        "checked": found.checked,
        "stored_policy_version": found.stored_version,
        "policy_version": found.version,
        "first_difference": shown,
    }
    sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    return 0 if one is None else DIFFERS


if __name__ == "__main__":
    sys.exit(main(load(Settings, service="benefits"), sys.argv[1]))
