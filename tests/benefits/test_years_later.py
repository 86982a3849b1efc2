"""Years later the files of law have grown: what was determined is computed again to the same lines and fen."""

from __future__ import annotations

import json
import shutil
from datetime import date
from typing import TYPE_CHECKING

from chassis.policy_snapshot import pack
from services.benefits import recompute
from services.benefits.operations.proving import Cause, Verdict
from services.benefits.service import build
from tests.benefits.conftest import POLICY_DIR, POLICY_LOCAL
from tests.plugins.databases import owner_fetch

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


def corrected(folder: Path) -> Path:
    """The law of today with another value where one was known."""
    shutil.copytree(POLICY_DIR, folder, ignore=shutil.ignore_patterns("local"))
    pension = folder / "pension-employee.yaml"
    text = pension.read_text()
    start = text.index("- key: basic_rate_per_year")
    pension.write_text(text[:start] + text[start:].replace('value: "0.01"', 'value: "0.011"', 1))
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
    # What stood in for the base is known now, and the law of then was not kept: nobody says that the record stands.
    proof = await recompute.prove(later(tmp_path / "published"), text)
    assert proof.difference is not None
    assert proof.difference.path == "lines[0].amount_fen"
    assert int(proof.difference.stored) < int(proof.difference.computed)
    assert proof.as_decided.refusal is not None
    assert proof.as_decided.refusal.reason == "LAW_SNAPSHOT_MISSING"
    assert (proof.today.cause, recompute.exit_code(proof)) == (Cause.NOT_SEPARATED, 2)

    # Kept, it says so, and why the law of today pays more.
    for action in build(database.settings).on_start:
        await action(database)
    published = await recompute.prove(later(tmp_path / "published"), text)
    assert (published.as_decided.verdict, recompute.exit_code(published)) == (Verdict.EQUAL, 0)
    assert published.as_decided.release == published.release
    assert published.today.cause is Cause.PUBLISHED
    line = int(proof.difference.computed) - int(proof.difference.stored)
    assert abs(published.today.monthly.fen - line) < 10  # the total is rounded up to the jiao
    assert published.today.monthly == proof.today.monthly
    (base,) = [one for one in published.today.changed if one.key == "calculation_base"]
    assert (base.file, base.new, base.was_provisional) == ("pension-employee.yaml", "9300.00", True)
    other = await recompute.prove(later(corrected(tmp_path / "corrected")), text)
    assert (other.as_decided.verdict, other.today.cause) == (Verdict.EQUAL, Cause.LAW_CHANGED)
    assert "basic_rate_per_year" in {one.key for one in other.today.changed}

    # A line, an input, an amount and a kept law that somebody changed are each found, and each by its name.
    digest = provisional.calculation.digest
    for column, changed in (
        ("statement", "jsonb_set(statement, '{lines,1,formula}', '\"x\"')"),
        ("inputs", "jsonb_set(inputs, '{balance_fen}', '1')"),
        ("inputs", "inputs - 'birth'"),
        ("total_fen", "total_fen + 1"),
    ):
        (before,) = await owner_fetch(database, f"SELECT {column} AS it FROM calculation WHERE digest = $1", digest)
        await owner_fetch(database, f"UPDATE calculation SET {column} = {changed} WHERE digest = $1", digest)
        found = (await recompute.prove(later(tmp_path / "published"), text)).as_decided
        assert found.verdict is Verdict.DIFFERS, changed
        await owner_fetch(database, f"UPDATE calculation SET {column} = $2 WHERE digest = $1", digest, before["it"])
    await owner_fetch(database, "UPDATE law_snapshot SET content = $1", pack('{"files":{},"local":null}'))
    refused = await recompute.prove(later(tmp_path / "published"), text)
    assert refused.as_decided.refusal is not None
    assert refused.as_decided.refusal.reason == "LAW_SNAPSHOT_TAMPERED"
    assert (refused.today.cause, recompute.exit_code(refused)) == (Cause.NOT_SEPARATED, 1)
    assert json.loads(json.dumps(recompute.said(refused)))["as_decided"]["refused"]["version"] == refused.stored_version
