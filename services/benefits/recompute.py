"""`python -m services.benefits.recompute BENEFIT_ID`: computes a benefit's amounts again from what is stored, and ends.

What was found is written as JSON. Exit code 0 when the record stands: it is equal by the law as it was known when it
was decided (what the law of today would change is said beside it). 1 with the first difference, or where the law kept
with it is not the one that its hash names. 2 when nobody could look (no such benefit, no law kept and another today).
"""

import asyncio
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from chassis import transaction
from chassis.config import Settings, load
from chassis.database import Database
from chassis.policy import policy_of
from chassis.principal import Principal
from kernel import ids
from kernel.calendar import shanghai_day
from kernel.errors import DomainError
from services.benefits.operations import proving
from services.benefits.operations.proving import Difference, Proof, Verdict
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
    sys.stdout.write(json.dumps(said(found), ensure_ascii=False) + "\n")
    return exit_code(found)


def exit_code(found: Proof) -> int:
    """0: the record stands; 1: it does not; 2: nobody could look, and the law of today does not give it either."""
    then = found.as_decided
    if then.verdict is Verdict.EQUAL:
        return 0
    if then.verdict is Verdict.DIFFERS or (then.refusal and then.refusal.reason == "LAW_SNAPSHOT_TAMPERED"):
        return DIFFERS
    return 0 if found.today.verdict is Verdict.EQUAL else NOT_COMPUTED


def said(found: Proof) -> dict[str, Any]:
    """The proof as JSON."""
    then, today = found.as_decided, found.today
    return {
        "checked": found.checked,
        "policy_version": found.version,
        "release": found.release,
        "as_decided": {
            "verdict": then.verdict.value,
            "checked": then.checked,
            "unchecked": then.unchecked,
            "policy_version": then.version,
            "release": then.release,
            "first_difference": _shown(then.difference),
            "refused": _refused(then.refusal),
        },
        "today": {
            "verdict": today.verdict.value,
            "first_difference": _shown(today.difference),
            "monthly_change": str(today.monthly),
            "owed": str(today.owed),
            "cause": today.cause.value if today.cause else None,
            "changes": [asdict(one) for one in today.changed],
            "refused": _refused(today.refusal),
        },
    }


def _shown(one: Difference | None) -> dict[str, str] | None:
    if one is None:
        return None
    return {"from_month": str(one.from_month), "path": one.path, "stored": one.stored, "computed": one.computed}


def _refused(refusal: DomainError | None) -> dict[str, str] | None:
    return None if refusal is None else {"reason": refusal.reason, **refusal.metadata}


if __name__ == "__main__":
    sys.exit(main(load(Settings, service="benefits"), sys.argv[1]))
