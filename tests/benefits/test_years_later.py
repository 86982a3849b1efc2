"""Years later the files of law have grown: what was determined is computed again to the same lines and fen."""

from __future__ import annotations

import shutil
from datetime import date
from typing import TYPE_CHECKING

from services.benefits import recompute
from tests.benefits.conftest import POLICY_DIR, POLICY_LOCAL

if TYPE_CHECKING:
    from pathlib import Path

    from chassis.config import Settings
    from chassis.database import Database
    from tests.benefits.builders import Benefits, Enrollment

UNKNOWN = "      - {year: 2026, value: null, confidence: assumed, source: [WORKING-ASSUMPTION], note: 至 2026-09 未公布"
LATER = '      - {year: 2027, value: "9511", confidence: certain, source: [PUB-CODE-JS]}\n'
WAGES = 'class_3: "2180"}, confidence: likely, source: [JS-MINWAGE-2025-3], note: 三类数值为推断}\n'
WAGES_LATER = (
    '      - {from: 2028-01-01, to: null, value: {class_1: "2900", class_2: "2700", class_3: "2400"},'
    " confidence: likely, source: [JS-MINWAGE-2025-3]}\n"
)


def grown(folder: Path, *, is_published: bool = False) -> Path:
    """The law of a later day: rows of later years, and on request the base that was not known."""
    shutil.copytree(POLICY_DIR, folder, ignore=shutil.ignore_patterns("local"))
    pension, unemployment = folder / "pension-employee.yaml", folder / "unemployment.yaml"
    text = pension.read_text()
    unknown = next(line for line in text.splitlines(keepends=True) if line.startswith(UNKNOWN))
    published = unknown.replace("value: null", 'value: "9300"')
    pension.write_text(text.replace(unknown, (published if is_published else unknown) + LATER))
    text = unemployment.read_text()
    line = next(one for one in text.splitlines(keepends=True) if one.endswith(WAGES))
    closed = line.replace("from: 2026-01-01, to: null", "from: 2026-01-01, to: 2027-12-31")
    unemployment.write_text(text.replace(line, closed + WAGES_LATER))
    return folder


async def test_a_statement_is_the_same_after_the_law_grew(
    database: Database, benefits: Benefits, enrollment: Enrollment, tmp_path: Path
) -> None:
    known = await benefits.approve(await benefits.prepare_unemployment(await enrollment.unemployed()))
    old = await enrollment.person("1965-05-12")
    await enrollment.hired(old, "1998-08")
    await enrollment.paid(old, "1998-08", "2025-07")
    await enrollment.settled(old, "2025-07", provisional=False)
    certain = await benefits.approve(await benefits.prepare_pension(old, today=date(2026, 7, 20)))
    provisional = await benefits.approve(await benefits.prepare_pension(await enrollment.about_to_retire()))

    def later(folder: Path) -> Settings:
        return database.settings.model_copy(update={"policy_dir": folder, "policy_local": POLICY_LOCAL})

    for folder in (grown(tmp_path / "grown"), grown(tmp_path / "published", is_published=True)):
        for shown in (known, certain):
            assert shown.benefit is not None
            proof = await recompute.prove(later(folder), f"ben_{shown.benefit.benefit_id.hex}")
            assert proof.difference is None
            assert proof.stored_version != proof.version
    assert provisional.benefit is not None
    text = f"ben_{provisional.benefit.benefit_id.hex}"
    assert (await recompute.prove(later(tmp_path / "grown"), text)).difference is None
    # What stood in for the base is known now: that is said, with both versions, and a recomputation pays the rest.
    proof = await recompute.prove(later(tmp_path / "published"), text)
    assert proof.difference is not None
    assert proof.difference.path == "lines[0].amount_fen"
    assert int(proof.difference.stored) < int(proof.difference.computed)
