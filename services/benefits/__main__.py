"""Runs the benefits service: `python -m services.benefits`; with `reconcile` it proves the books and ends.

The proof is written as JSON; exit code 0 when every rule holds, 1 when one does not.
"""

import asyncio
import json
import sys

from chassis.config import Settings, load
from chassis.service import run
from services.benefits.service import build
from services.benefits.settings import BenefitsSettings
from services.benefits.store import books


def reconcile(settings: Settings) -> int:
    """Prove the books and say what does not hold."""
    found = asyncio.run(books.prove(settings.database_url))
    broken = [
        {"code": one.rule.code, "count": one.count, "first": one.first, "zh": one.rule.zh, "en": one.rule.en}
        for one in found
    ]
    sys.stdout.write(json.dumps({"rules": len(books.RULES), "broken": broken}, ensure_ascii=False) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["reconcile"]:
        sys.exit(reconcile(load(BenefitsSettings, service="benefits")))
    run(build, load(BenefitsSettings, service="benefits"))
