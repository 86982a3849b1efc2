"""The catalogues of texts: alike in both languages, complete, nothing unused, and no text anywhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from hrss.benefits.v1 import (
    adjusting_service_pb2,
    benefits_pb2,
    determinations_service_pb2,
    keeping_service_pb2,
    paying_service_pb2,
)
from hrss.card.v1 import card_pb2, card_service_pb2
from hrss.enrollment.v1 import (
    collection_service_pb2,
    cover_service_pb2,
    enrollment_pb2,
    enrollment_service_pb2,
    moving_service_pb2,
    persons_service_pb2,
)
from hrss.gateway.v1 import cases_service_pb2
from hrss.training.v1 import training_pb2
from hrss.type.v1 import job_pb2
from services.gateway.edge.catalogue import placeholders
from services.gateway.portal.texts import FOLDER, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORTAL = FOLDER.parent
ROOT = PORTAL.parents[2]
TEMPLATES = sorted((PORTAL / "templates").rglob("*.html"))
CODE = sorted([*PORTAL.rglob("*.py"), *(PORTAL.parent / "console").rglob("*.py")])
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uff60]")
LITERAL = re.compile(r"""["']([a-z_]+\.[a-z0-9_]+)["']""")
# Keys that are put together from a value; the tests below or pages name every one of them.
MADE = re.compile(
    r"format\.month_\d+|login\.[a-z_]+|stronger\.text_\d|statement\.(input|parameter)_\w+|card\.level_\d"
    r"|card\.(request|prove|cancel|activate|reset)(_\w+)?|card\.counter_(prove|loss|lift|formal|replace|cancel)"
    r"|console\.(name|found)_\w+|desk\.(queue|done|actor)_\w+|job\.\w+"
    r"|rules\.\w+|lists\.(column|about|step)_\w+|lists\.(roster|wages)|project\.done_\w+|account\.source_\w+"
    r"|office\.\w+_text|office\.job_(pause|resume)(_about)?|office\.refund_(prepared|approve|reject)|register\.request_(asked|approve|reject)"
    r"|cover\.(do|text)_\w+|transfer\.do_\w+|employer\.(person|document)"
    r"|benefit_rules\.\w+|pay\.(done|todo|release|next|code|limit)_\w+|determine\.done_\w+|benefit\.(done|do|text)_\w+"
    r"|prepare\.\w+|keep\.(about|request|done|do|text)_\w+|adjust\.(done|do|text|by|missing)_\w+|compare\.(plan|refused)_\w+"
    r"|family\.(done|scope)_\w+|batch\.(done|do|text)_\w+"
    r"|start\.\w+_text|overview\.\w+_text|item\.by_(employer|counter)|papers\..+|words\..+"
)
SHOWN = (
    card_service_pb2.CardChange,
    card_pb2.CardCause,
    cases_service_pb2.CaseState,
    cases_service_pb2.CaseStepState,
    cases_service_pb2.CaseOutcome,
    cases_service_pb2.CaseChannel,
    job_pb2.JobState,
    enrollment_pb2.Scheme,
    enrollment_pb2.ParticipationState,
    enrollment_pb2.EndReason,
    enrollment_pb2.ContributionState,
    enrollment_pb2.Post,
    benefits_pb2.BenefitKind,
    benefits_pb2.BenefitState,
    benefits_pb2.BenefitEndReason,
    benefits_pb2.PaymentState,
    benefits_pb2.PaymentItem,
    benefits_pb2.PayrollState,
    benefits_pb2.DeterminationState,
    benefits_pb2.AmountCause,
    paying_service_pb2.PayrollGate,
    paying_service_pb2.FindingEffect,
    paying_service_pb2.ReleaseState,
    paying_service_pb2.ReturnedState,
    paying_service_pb2.ReturnVerdict,
    keeping_service_pb2.CertificationSource,
    keeping_service_pb2.SuspensionReason,
    keeping_service_pb2.KeepingRequestKind,
    keeping_service_pb2.KeepingRequestState,
    keeping_service_pb2.RecoveryMethod,
    keeping_service_pb2.RecoveryWay,
    keeping_service_pb2.DueList,
    benefits_pb2.RetirementTrack,
    determinations_service_pb2.NursingNeed,
    determinations_service_pb2.DependantRelation,
    determinations_service_pb2.TerminationCause,
    adjusting_service_pb2.AdjustmentPurpose,
    adjusting_service_pb2.AdjustmentState,
    adjusting_service_pb2.AdjustmentSource,
    card_pb2.CardState,
    card_pb2.PhysicalState,
    training_pb2.IssuerType,
    enrollment_pb2.BillState,
    enrollment_pb2.BillKind,
    enrollment_pb2.CoverKind,
    enrollment_pb2.Sex,
    enrollment_pb2.TransferDirection,
    enrollment_service_pb2.RosterMode,
    collection_service_pb2.DemandKind,
    collection_service_pb2.SuspenseState,
    collection_service_pb2.SuspenseReason,
    collection_service_pb2.RefundKind,
    collection_service_pb2.RefundState,
    collection_service_pb2.PlanState,
    collection_service_pb2.RowVerdict,
    cover_service_pb2.SuspendReason,
    moving_service_pb2.InsuranceCertificateKind,
    moving_service_pb2.TransferState,
    persons_service_pb2.DeathSource,
    persons_service_pb2.DeclarationMode,
    persons_service_pb2.DocumentKind,
    persons_service_pb2.DuplicateReason,
    persons_service_pb2.PersonRequestKind,
    persons_service_pb2.PersonRequestState,
    persons_service_pb2.VersionCause,
)


def used() -> set[str]:
    """Every key that templates and code name; code names file names and the like in the same form."""
    files = {path.stem for path in (FOLDER / "en").glob("*.yaml")}
    found = {key for path in (*TEMPLATES, *CODE) for key in LITERAL.findall(path.read_text("utf-8"))}
    return {key for key in found if key.partition(".")[0] in files and not key.endswith(("_", ".html", ".yaml"))}


def test_both_languages_have_the_same_keys() -> None:
    assert load("zh").keys() == load("en").keys()


def test_a_text_prints_the_same_values_in_both_languages() -> None:
    zh, en = load("zh"), load("en")

    assert [key for key in en if placeholders(zh[key]) != placeholders(en[key])] == []
    assert [key for key in en if not zh[key].strip() or not en[key].strip()] == []


def test_every_key_that_is_used_is_there() -> None:
    assert used() - load("en").keys() == set()


def test_no_text_is_unused() -> None:
    assert {key for key in load("en") if not MADE.fullmatch(key)} - used() == set()


@pytest.mark.parametrize("path", [*TEMPLATES, *CODE], ids=lambda path: str(path.relative_to(PORTAL.parent)))
def test_no_chinese_text_stands_in_templates_or_strings(path: Path) -> None:
    text = path.read_text("utf-8")
    if path.suffix == ".py":  # comments and docstrings name the terms of the trade
        text = re.sub(r'""".*?"""|#[^\n]*', "", text, flags=re.DOTALL)

    assert CHINESE.findall(text) == []


def test_english_texts_hold_no_chinese() -> None:
    wrong = {key for key, text in load("en").items() if CHINESE.search(text)}

    assert wrong == {"site.other_name"}


@pytest.mark.parametrize("kind", SHOWN, ids=lambda kind: str(kind.DESCRIPTOR.name))
def test_every_value_that_is_shown_has_its_words(kind: object) -> None:
    names = [value.name for value in kind.DESCRIPTOR.values if value.number]  # type: ignore[attr-defined] # protobuf's stubs

    assert [name for name in names if f"words.{name}" not in load("zh")] == []


def test_every_paper_of_the_catalogue_has_an_english_name() -> None:
    law = yaml.safe_load((ROOT / "policy" / "services.yaml").read_text("utf-8"))
    named = {name for rows in law["parameters"] for found in papers_of(rows["values"]) for name in found}

    assert len(named) > 50
    assert {f"papers.{name}" for name in named} == {key for key in load("en") if key.startswith("papers.")}


def papers_of(node: object) -> Iterator[list[str]]:
    """Every list of papers or of other authorities' business, wherever it stands."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"shared", "materials", "external"} and isinstance(value, list):
                yield value
            else:
                yield from papers_of(value)
    elif isinstance(node, list):
        for one in node:
            yield from papers_of(one)
