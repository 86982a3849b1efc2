"""Random walks through the life of cards never leave the table, and end where a model of it says.

The model knows nothing of the code: a few lines that say what a person at a counter would expect.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrss.card.v1 import card_service_pb2 as pb
from kernel import ids
from kernel.errors import AlreadyExists, DomainError, NotFound, Refused
from services.card.domain.lifecycle import FINAL, Actor, CardEvent, CardState, Physical, answer_to, follow
from tests.card.builders import CANCELLED, CLERK, ISSUED, LOCKED, LOST, PIN, UNLOST, a_key
from tests.card.test_life import CLERK_2, FORMALLY_LOST, MAKER, OFFICER, call_hotline, prove, request_card
from tests.system.oracle_card import violations

if TYPE_CHECKING:
    from tests.card.builders import Desk, Person

OPEN = ("ISSUED", "ACTIVE", "LOCKED")
LOST_ONES = ("SUSPENDED_TEMP", "SUSPENDED_FORMAL")
NEW_PIN = "369258"


@given(st.lists(st.tuples(st.sampled_from(list(CardEvent)), st.sampled_from(list(Actor))), max_size=40))
def test_no_walk_leaves_the_table_and_the_end_is_the_end(walk: list[tuple[CardEvent, Actor]]) -> None:
    state: CardState | None = None
    before: CardState | None = None
    for event, actor in walk:
        try:
            to = follow(state, event, actor, before)
        except Refused:
            continue
        assert state not in FINAL
        assert state is not None or to is CardState.REQUESTED
        if to is CardState.SUSPENDED_TEMP:
            before = state
        if event in (CardEvent.RESUME, CardEvent.LAPSE):
            assert to is before
        if event is CardEvent.RESUME:
            assert actor is not Actor.HOTLINE
        state = to


@given(st.lists(st.sampled_from(list(Physical)), max_size=30))
def test_no_walk_of_a_physical_card_leaves_an_open_card_beside_an_unusable_one(walk: list[Physical]) -> None:
    state: CardState | None = None
    before: CardState | None = None
    by: Actor | None = None
    for physical in walk:
        event = answer_to(None if state in FINAL else state, physical, by, is_another=False)
        if event is CardEvent.REQUEST:
            state, before, by = CardState.ISSUED, None, None
            continue
        if event is not None:
            to = follow(state, event, Actor.PHYSICAL, before)
            before, by = (state, Actor.PHYSICAL) if to is CardState.SUSPENDED_TEMP else (None, Actor.PHYSICAL)
            state = to
        if physical is not Physical.NORMAL:
            assert state not in (CardState.ISSUED, CardState.ACTIVE, CardState.LOCKED)


@dataclass
class Model:
    """What a person at a counter would expect of one holder.

    `card` is where the live card stands; empty when there is none.
    """

    card: str = ""
    before: str = ""
    by: str = ""
    physical: str = ""
    calls: int = 0
    proof: str = ""  # what a face check said of the last card; said again, it is the same answer

    def expect(self, what: str) -> bool:  # noqa: C901, PLR0911, PLR0912 - one case for each act
        """Whether an act succeeds; the model is where it leads afterwards."""
        usable = self.physical in ("", "NORMAL")
        match what:
            case "request":
                if self.card or not usable:
                    return False
                self.card, self.proof = "REQUESTED", ""
            case "counter request":
                if self.card or not usable:
                    return False
                self.card, self.proof = "ISSUED", ""
            case "pass" | "fail":
                if self.card not in ("REQUESTED", "VERIFYING"):
                    return what == self.proof
                self.proof = what
                self._after_proof(passed=what == "pass" and self.physical != "CANCELLED")
            case "activate":
                if self.card != "ISSUED" or not usable:
                    return False
                self.card = "ACTIVE"
            case "lock":
                if self.card != "ACTIVE":
                    return False
                self.card = "LOCKED"
            case "unlock" | "reset":
                if self.card != "LOCKED" or (what == "reset" and not usable):
                    return False
                self.card = "ACTIVE"
            case "lose" | "call":
                if what == "call" and self.card and self.calls >= 3:
                    return False
                if self.card not in OPEN:
                    return False
                self.calls += what == "call"
                self._suspend("someone")
            case "lift":
                if self.card != "SUSPENDED_TEMP" or not usable:
                    return False
                self.card, self.before, self.by = self.before, "", ""
            case "lose formally":
                if self.card not in (*OPEN, "SUSPENDED_TEMP"):
                    return False
                self.card, self.by = "SUSPENDED_FORMAL", "someone"
            case "replace":
                if self.card != "SUSPENDED_FORMAL" or not usable:
                    return False
                self.card, self.proof = "ISSUED", ""
            case "cancel" | "cancel by two":
                if self.card not in (*OPEN, *LOST_ONES):
                    return False
                self.card = ""
            case _:
                return self._follow(what)
        return True

    def _suspend(self, by: str) -> None:
        self.card, self.before, self.by = "SUSPENDED_TEMP", self.card, by

    def _after_proof(self, *, passed: bool) -> None:
        self.card = "ISSUED" if passed else ""
        if passed and self.physical in ("LOST", "LOCKED"):
            self._suspend("physical")
        if passed and self.physical == "FORMALLY_LOST":
            self.card = "SUSPENDED_FORMAL"

    def _follow(self, what: str) -> bool:
        """The physical card: made, made anew, lost, found, locked, formally lost, cancelled."""
        if what not in {"made", "made anew"} and not self.physical:
            return False
        is_another = what == "made anew" and bool(self.physical)
        made = what in ("made", "made anew", "found")
        self.physical = "NORMAL" if made else {"formally": "FORMALLY_LOST"}.get(what, what.upper())
        if made:
            if not self.card or self.card in ("REQUESTED", "VERIFYING"):
                self.card, self.proof = "ISSUED", ""
            elif self.card == "SUSPENDED_TEMP" and self.by == "physical":
                self.card, self.before, self.by = self.before, "", ""
            elif self.card == "SUSPENDED_FORMAL" and is_another:
                self.card, self.proof = "ISSUED", ""
        elif self.physical in ("LOST", "LOCKED") and self.card in OPEN:
            self._suspend("physical")
        elif self.physical == "FORMALLY_LOST" and self.card in (*OPEN, "SUSPENDED_TEMP"):
            self.card = "SUSPENDED_FORMAL"
        elif self.physical == "CANCELLED" and self.card in (*OPEN, *LOST_ONES):
            self.card = ""
        return True


ACTS = (
    *("request", "counter request", "pass", "pass", "fail", "activate", "activate", "lock", "unlock", "reset"),
    *("lose", "call", "lift", "lift", "lose formally", "replace", "cancel", "cancel by two"),
    *("made", "made anew", "lost", "found", "locked", "formally", "cancelled"),
)
PHYSICAL = {
    "made": ISSUED,
    "made anew": ISSUED,
    "lost": LOST,
    "found": UNLOST,
    "locked": LOCKED,
    "formally": FORMALLY_LOST,
    "cancelled": CANCELLED,
}


async def act(desk: Desk, person: Person, what: str, card_id: str) -> None:  # noqa: C901, PLR0912 - the same list once more
    """Do it through the edge."""
    mine = person.acting(4)
    match what:
        case "request":
            await request_card(desk, person)
        case "counter request":
            await request_card(desk, person, CLERK, "REC-2026-1")
        case "pass" | "fail":
            await prove(desk, card_id, passed=what == "pass")
        case "activate":
            await desk.do("ActivateCard", card_id, mine, consent=True, pin=PIN)
        case "lock":
            await desk.do("LockCard", card_id, OFFICER, reason="异常")
        case "unlock":
            await desk.do("UnlockCard", card_id, OFFICER, reason="已核实")
        case "reset":
            await desk.do("ResetPin", card_id, mine, pin=NEW_PIN)
        case "lose":
            await desk.do("ReportLoss", card_id, mine)
        case "call":
            await call_hotline(desk, person)
        case "lift":
            await desk.do("LiftLoss", card_id, mine)
        case "lose formally":
            await desk.do("ReportFormalLoss", card_id, CLERK)
        case "replace":
            await desk.do("ReplaceCard", card_id, CLERK)
        case "cancel":
            await desk.do("CancelCard", card_id, mine)
        case "cancel by two":
            made = await desk.do("PrepareCancel", card_id, MAKER, reason="本人要求")
            await desk.do("DecideCancel", card_id, CLERK_2, approval_id=made.approval_id, approve=True)
        case _:
            if what == "made anew":
                person.physical_ref = f"PHYS-{a_key()}-0"
            await desk.announce(person, PHYSICAL[what])


async def walk(desk: Desk, seed: int, persons: int, steps: int) -> None:
    """Let persons walk, each beside its model."""
    chance = random.Random(seed)  # a walk that can be walked again
    crowd = [(await desk.person(), Model()) for _ in range(persons)]
    nobody = ids.to_text("crd", ids.new_id())
    for turn in range(steps):
        person, model = chance.choice(crowd)
        what = chance.choice(ACTS)
        rows = await desk.rows(
            "SELECT card_id, state FROM card WHERE person_id = $1 ORDER BY card_id DESC LIMIT 1", person.person_id
        )
        card_id = ids.to_text("crd", rows[0]["card_id"]) if rows else nobody
        expected = model.expect(what)
        try:
            await act(desk, person, what, card_id)
            came = True
        except (Refused, NotFound, AlreadyExists):
            came = False
        except DomainError as error:
            raise AssertionError((seed, turn, what, model)) from error
        now = await desk.rows(
            """
            SELECT state FROM card
            WHERE person_id = $1 AND state NOT IN ('REJECTED', 'REPLACED', 'CANCELLED', 'EXPIRED')
            """,
            person.person_id,
        )
        assert (came, [row["state"] for row in now]) == (expected, [model.card] if model.card else []), (
            seed,
            turn,
            what,
            model,
        )
    assert await violations(desk.database.settings.database_owner_url) == []
    rows = await desk.rows("SELECT count(*) = count(DISTINCT issue_no) AS fine FROM card WHERE issue_no IS NOT NULL")
    assert rows[0]["fine"]


async def test_a_walk_ends_where_the_model_says(desk: Desk) -> None:
    await walk(desk, seed=7, persons=2, steps=40)


@pytest.mark.slow
async def test_long_walks_end_where_the_model_says(desk: Desk) -> None:
    for seed in range(2):
        await walk(desk, seed=seed, persons=4, steps=250)
    assert len(await desk.rows("SELECT DISTINCT state FROM card")) >= len(pb.PhysicalCardEvent.keys())
