"""The loader of the law is strict, and local values may fill gaps and nothing else."""

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from chassis.config import Settings
from chassis.policy import PolicyInvalid, PolicyStore, policy_of, release_directory
from kernel.errors import PolicyParameterMissing
from kernel.money import Money

SOURCES = """
schema: hrss-policy-sources/1
compiled: 2026-11-23
sources:
  - {id: LAW, kind: law, title: 一部法律, number: 第1号, checked: text}
"""
HEAD = "schema: hrss-policy/1\ntitle: {zh: 甲, en: A}\nsource: [LAW]\nconfidence: certain\n"
RATE = (
    HEAD
    + """parameters:
  - key: rate
    zh: 费率
    unit: ratio
    type: rate
    values:
      - {from: 2020-01-01, to: 2020-12-31, value: "0.16"}
      - {from: 2021-01-01, to: 2022-12-31, value: null, confidence: assumed}
      - {from: 2023-01-01, to: null, value: "0.14"}
"""
)
LOCAL = """
schema: hrss-policy-local/1
entries:
  - id: NT-1
    file: a.yaml
    key: rate
    from: 2021-04-01
    to: 2022-06-30
    value: "0.15"
    confidence: likely
    reason: 市局批复
    reviewers: [Li, Wang]
    decided: 2026-01-05
"""


def a_store(folder: Path, text: str, local: str | None = None) -> PolicyStore:
    (folder / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    if local is None:
        return PolicyStore(folder)
    (folder / "local").mkdir(exist_ok=True)
    (folder / "local" / "values.yaml").write_text(local, encoding="utf-8")
    return PolicyStore(folder, folder / "local" / "values.yaml")


def test_a_value_carries_its_days_confidence_and_source(tmp_path: Path) -> None:
    rate = a_store(tmp_path, RATE).rate("a.yaml", "rate").on(date(2020, 12, 31))

    assert (rate.value, rate.confidence, rate.source, rate.effective) == (
        Decimal("0.16"), "certain", ("LAW",), "2020-01-01..2020-12-31",
    )  # fmt: skip


def test_a_null_is_refused_on_use(tmp_path: Path) -> None:
    store = a_store(tmp_path, RATE)

    with pytest.raises(PolicyParameterMissing) as caught:
        store.rate("a.yaml", "rate").on(date(2021, 5, 1))

    assert caught.value.metadata == {"file": "a.yaml", "key": "rate", "on": "2021-05-01"}
    assert [(row.key, row.effective) for row in store.missing()] == [("rate", "2021-01-01..2022-12-31")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('value: "0.16"', "value: 0.16", "must be written as text"),
        ('value: "0.16"', 'value: "16"', "not a rate"),
        ('value: "0.16"', 'value: "1.6e-1"', "not an exact number"),
        ('value: "0.16"', 'value: "NaN"', "not an exact number"),
        ('value: "0.16"', 'value: "0.16", colour: red', "unknown keys: colour"),
        ("unit: ratio", "units: ratio", "lacks unit"),
        ("type: rate", "type: floating", "unknown type"),
        ("source: [LAW]", "source: [RUMOUR]", "cites RUMOUR"),
        ("source: [LAW]\n", "", "has no source"),
        ("confidence: certain\n", "", "has no confidence"),
        ("confidence: assumed", "confidence: hopeful", "certain, likely or assumed"),
        ("from: 2021-01-01", "from: 2020-12-31", "does not begin after"),
        ("from: 2021-01-01, to: 2022-12-31", "from: 2021-01-01, to: null", "does not begin after"),
        ("from: 2020-01-01", "from: 2020-12-32", "day is out of range"),
        ("from: 2020-01-01", "from: 20200101", "days like"),
        ("from: 2020-01-01, to: 2020-12-31", "from: 2020-12-31, to: 2020-01-01", "ends before it begins"),
        ("    zh: 费率\n", "    zh: 费率\n    zh: 税率\n", "given twice"),
        ("schema: hrss-policy/1", "schema: other/1", "schema must be"),
        ("parameters:", "parameters: [", "a.yaml"),
    ],
)
def test_a_file_that_is_not_exact_stops_the_start_and_says_where(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in RATE

    with pytest.raises(PolicyInvalid) as caught:
        a_store(tmp_path, RATE.replace(old, new, 1))

    assert any("a.yaml" in problem and said in problem for problem in caught.value.problems), caught.value.problems


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    text = RATE.replace('value: "0.16"', 'value: "16"').replace("type: rate", "type: rate\n    colour: red")

    with pytest.raises(PolicyInvalid) as caught:
        a_store(tmp_path, text + "rules:\n  - {id: r, text: t, confidence: certain, source: [GONE]}\n")

    assert len(caught.value.problems) == 2


def test_a_parameter_is_asked_for_by_its_type(tmp_path: Path) -> None:
    store = a_store(tmp_path, RATE)

    with pytest.raises(LookupError):
        store.money("a.yaml", "rate")
    with pytest.raises(LookupError):
        store.rate("a.yaml", "none")


def test_values_with_parts_are_typed_part_by_part(tmp_path: Path) -> None:
    text = (
        HEAD
        + """parameters:
  - key: limits
    zh: 上下限
    unit: CNY_per_month
    type: {floor: money, ceiling: money}
    years: {2025: {floor: "4952", ceiling: "24762"}}
  - key: bands
    zh: 档
    unit: months
    type: [{first: integer, last: "integer?"}]
    values: [{from: null, to: null, value: [{first: 1, last: null}]}]
"""
    )
    store = a_store(tmp_path, text)

    limits = store.table("a.yaml", "limits", dict).on(date(2025, 7, 1))
    bands = store.table("a.yaml", "bands", lambda rows: [dict(row) for row in rows]).on(date(1900, 1, 1))

    assert limits.value == {"floor": Money.yuan("4952"), "ceiling": Money.yuan("24762")}
    assert limits.effective == "2025-01-01..2025-12-31"
    assert bands.value == [{"first": 1, "last": None}]


def test_a_local_value_fills_a_gap_and_appears_as_the_source(tmp_path: Path) -> None:
    rate = a_store(tmp_path, RATE, LOCAL).rate("a.yaml", "rate")

    found = rate.on(date(2021, 4, 1))

    assert (found.value, found.source, found.confidence) == (Decimal("0.15"), ("LOCAL:NT-1",), "likely")
    assert not rate.covers(date(2021, 3, 31))
    assert rate.covers(date(2022, 6, 30))
    assert not rate.covers(date(2022, 7, 1))
    assert rate.on(date(2023, 1, 1)).value == Decimal("0.14")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("from: 2021-04-01", "from: 2020-04-01", "may only supply days whose value is null"),
        ("to: 2022-06-30", "to: 2023-06-30", "may only supply days whose value is null"),
        ("to: 2022-06-30", "to: null", "may only supply days whose value is null"),
        ("reviewers: [Li, Wang]", "reviewers: [Li]", "two different reviewers"),
        ("reviewers: [Li, Wang]", "reviewers: [Li, ' li ']", "two different reviewers"),
        ("key: rate", "key: rates", "no parameter rates"),
        ("file: a.yaml", "file: b.yaml", "no parameter rate"),
        ("reason: 市局批复", "reason: ''", "must be text"),
        ("    reason: 市局批复\n", "", "lacks reason"),
        ('value: "0.15"', "value: null", "supplies no value"),
        ('value: "0.15"', "value: 0.15", "must be written as text"),
        ("    confidence: likely\n", "    confidence: likely\n    colour: red\n", "unknown keys: colour"),
        ("decided: 2026-01-05", "decided: soon", "decided is a day"),
        ("from: 2021-04-01", "year: 2021", "either year, or from and to"),
    ],
)
def test_a_local_value_that_is_not_reviewed_or_overrides_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in LOCAL

    with pytest.raises(PolicyInvalid) as caught:
        a_store(tmp_path, RATE, LOCAL.replace(old, new, 1))

    assert any(said in problem for problem in caught.value.problems), caught.value.problems


def test_a_local_value_may_name_a_year(tmp_path: Path) -> None:
    local = LOCAL.replace("    from: 2021-04-01\n    to: 2022-06-30\n", "    year: 2022\n")

    rate = a_store(tmp_path, RATE, local).rate("a.yaml", "rate")

    assert not rate.covers(date(2021, 12, 31))
    assert rate.covers(date(2022, 1, 1))


def test_the_version_follows_every_value_and_no_comment(tmp_path: Path) -> None:
    before = a_store(tmp_path, RATE).version

    assert a_store(tmp_path, "# a remark\n" + RATE).version == before
    assert a_store(tmp_path, RATE.replace("0.14", "0.15")).version != before
    assert a_store(tmp_path, RATE, LOCAL).version != before
    assert len(before) == 64


def test_the_law_of_this_release_is_exact_and_the_demo_fills_only_gaps(tmp_path: Path) -> None:
    folder = release_directory()

    shipped = PolicyStore(folder)
    demo = PolicyStore(folder, folder / "local" / "demo.yaml")

    gaps = {(row.file, row.key) for row in shipped.missing()}
    filled = gaps - {(row.file, row.key) for row in demo.missing()}
    assert filled == {
        ("certification.yaml", "recovery.deduction_share_max"),
        ("contribution.yaml", "work_injury.phase_reduction_factor"),
        ("unemployment.yaml", "duration.jiangsu_steps"),
    }
    factor = demo.rate("contribution.yaml", "work_injury.phase_reduction_factor").on(date(2025, 6, 1))
    assert (factor.value, factor.confidence) == (Decimal("1.0"), "assumed")
    shutil.copytree(folder, tmp_path / "copy")
    assert PolicyStore(tmp_path / "copy").version == shipped.version


def test_every_source_and_rule_of_this_release_can_be_shown() -> None:
    store = PolicyStore(release_directory())

    assert store.sources["SIL"].title == "中华人民共和国社会保险法"
    assert {"pension.total", "account.retirement_year", "unemployment.eligibility"} <= {rule.id for rule in store.rules}


def test_production_takes_no_assumed_local_values() -> None:
    local = release_directory() / "local" / "demo.yaml"

    with pytest.raises(PolicyInvalid, match="DEMO-INJURY-PHASE"):
        policy_of(Settings(env="prod", service="benefits", policy_local=local))

    assert policy_of(Settings(env="dev", service="benefits", policy_local=local)).assumed_locally
