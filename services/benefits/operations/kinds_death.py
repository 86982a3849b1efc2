"""The first person: prepares what a death brings those who are left.

The insured person is the deceased; each beneficiary has an account of their own. The register must know the death; a
person missing from work is alive for the register, and only then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.errors import InvalidInput, Refused
from kernel.money import Money
from services.benefits import exclusion
from services.benefits.domain.survivors import FEW_YEARS_MONTHS
from services.benefits.exclusion import Wanted, base_of
from services.benefits.history import Scheme
from services.benefits.kinds.resident import ResidentFuneralFacts
from services.benefits.kinds.survivors import SurvivorFacts
from services.benefits.kinds.work_death import WorkDeathFacts, of_dependant
from services.benefits.lifecycle import EndReason, Kind
from services.benefits.operations.determinations import known_person, place
from services.benefits.operations.kinds_shared import calculated, insured_in, not_insured, require_order
from services.benefits.operations.preparing import write
from services.benefits.operations.same_facts import died_month, drawn_months, drew_unemployment, months_before
from services.benefits.store import decisions, register

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from chassis.transaction import Transaction
    from services.benefits.commands import Payee
    from services.benefits.kind_commands import PrepareResidentFuneral, PrepareSurvivors, PrepareWorkDeath
    from services.benefits.kinds import KindFacts
    from services.benefits.operations.determinations import Shown
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import BenefitRow, PersonRow

PREPAID = "prepaid"  # the part of the one-off grant that is prepaid while a person is missing
DEPENDANTS_MOST = 20
DRAWN_MONTHS_MOST = 80 * 12


async def prepare_work_death(tx: Transaction, command: PrepareWorkDeath, policy: BenefitsPolicy) -> Sequence[Shown]:
    """Determine what a death from work brings: funeral grant, one-off grant, a pension for each dependant.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: DATES_OUT_OF_ORDER, TWO_SPOUSES, DEPENDANTS_INVALID, PAYEE_INVALID, NO_CONTRIBUTION_MONTHS.
        Refused: DEATH_NOT_KNOWN, DEATH_DATE_DIFFERS, PERSON_DIED, NO_PARTICIPATION, FUNERAL_ALREADY_DETERMINED,
            BENEFIT_ALREADY_DETERMINED, BENEFIT_ALREADY_RUNNING, NOTHING_TO_PAY, POLICY_PARAMETER_MISSING.
    """
    person = await known_person(tx, command.person_id)
    injured = command.injury_date or command.event_date
    require_order(injured, command.event_date, tx.today, field="event_date")
    if len(command.dependants) > DEPENDANTS_MOST:
        raise InvalidInput("DEPENDANTS_INVALID", "there are at most 20 dependants", field="dependants")
    died = await died_month(tx, person.person_id)
    if command.missing and died is not None:
        raise Refused("PERSON_DIED", "the person died", source=("WII",), month=str(died))
    if not command.missing:
        require_death(died, command.event_date)
    spells = await register.spells(tx, person.person_id)
    if command.average_base is None and insured_in(spells, Scheme.WORK_INJURY, Month.of(injured)) is None:
        raise not_insured(Scheme.WORK_INJURY)
    known = await decisions.benefits(tx, person.person_id)
    prepaid = next((one for one in known if _is(one, Kind.INJURY_DEATH_GRANT, PREPAID)), None)
    facts = WorkDeathFacts(
        event_date=command.event_date,
        history=await months_before(tx, person.person_id, injured),
        stated_average=command.average_base,
        dependants=tuple(one.facts for one in command.dependants),
        after_paid_leave=command.after_paid_leave,
        missing=command.missing,
        prepaid=Money.ZERO if prepaid is None else prepaid.monthly,
        injury_date=command.injury_date,
    )
    office = _Office(tx, policy, person, known, [f"document {command.document}", f"event {command.event_date}"])
    prepared: list[Shown] = []
    for kind in _once(command):
        if command.payee is None:
            raise InvalidInput("PAYEE_INVALID", "what is paid once needs an account", field="payee.account")
        share = PREPAID if command.missing else ""
        prepared.append(await office.once(kind, facts, command.payee, command.event_date, share=share))
    event = Month.of(command.event_date)
    employer = policy.injury_death.missing.on(command.event_date).value.employer_months
    start = event.plus(employer) if command.missing else event.next
    for number, one in enumerate(command.dependants, start=1):
        made = of_dependant(facts, number)
        prepared.append(await office.monthly(made, str(number), one.payee, (start, one.last_month), event))
    if not prepared:
        raise Refused("NOTHING_TO_PAY", "by these facts nothing is paid", kind=Kind.INJURY_DEATH_GRANT.value)
    return prepared


async def prepare_survivors(tx: Transaction, command: PrepareSurvivors, policy: BenefitsPolicy) -> Sequence[Shown]:
    """Determine the funeral grant and the one-off grant after the death of an insured or retired person.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: OWN_CONTRIBUTIONS_REQUIRED, DRAWN_MONTHS_INVALID.
        Refused: DEATH_NOT_KNOWN, DEATH_DATE_DIFFERS, NO_CONTRIBUTIONS, FUNERAL_ALREADY_DETERMINED,
            BENEFIT_ALREADY_DETERMINED, NOT_DRAWN_AT_DEATH, NOTHING_TO_PAY, POLICY_PARAMETER_MISSING.
    """
    person = await known_person(tx, command.person_id)
    died = require_death(await died_month(tx, person.person_id), command.death_date)
    months = len((await register.history(tx, person.person_id, Scheme.EMPLOYEE_PENSION)).until(died).counted)
    if not months:
        raise Refused("NO_CONTRIBUTIONS", "no contribution month of the employee pension is known")
    if months < FEW_YEARS_MONTHS and command.own_contributions is None:
        raise InvalidInput(
            "OWN_CONTRIBUTIONS_REQUIRED", "below five years own contributions are the limit", field="own_contributions"
        )
    if command.drawn_months is not None and not 0 <= command.drawn_months <= DRAWN_MONTHS_MOST:
        raise InvalidInput("DRAWN_MONTHS_INVALID", "months of pension drawn are 0 to 960", field="drawn_months")
    known = await decisions.benefits(tx, person.person_id)
    if command.from_unemployment and not drew_unemployment(known, died):
        raise Refused("NOT_DRAWN_AT_DEATH", "no unemployment benefit was drawn in the month of death", source=("SIL",))
    drawn_here = None if command.from_unemployment else drawn_months(known, died)
    facts = SurvivorFacts(
        death_date=command.death_date,
        contribution_months=months,
        drawn_months=_drawn(command, drawn_here),
        own_contributions=command.own_contributions,
        funeral_elsewhere=command.without_funeral,
    )
    notes = [
        f"document {command.document}",
        f"died {command.death_date}, pension months {months}, drawn {facts.drawn_months}",
    ]
    office = _Office(tx, policy, person, known, notes)
    funeral, grant = Kind.SURVIVOR_FUNERAL, Kind.SURVIVOR_GRANT
    if command.from_unemployment:
        funeral, grant = Kind.UNEMPLOYMENT_FUNERAL, Kind.UNEMPLOYMENT_GRANT
    kinds = [grant] if command.without_funeral else [funeral, grant]
    # Few own contributions may be used up by the funeral grant alone: what is left is paid, not refused with the rest.
    paid = [kind for kind in kinds if facts.statement(kind, died, policy).total > Money.ZERO]
    return [await office.once(kind, facts, command.payee, command.death_date) for kind in paid or kinds]


def _drawn(command: PrepareSurvivors, drawn_here: int | None) -> int | None:
    """Months of pension drawn; who drew unemployment benefit died as an employee does (社会保险法 art. 49)."""
    if command.from_unemployment:
        return None
    return command.drawn_months if drawn_here is None else drawn_here


async def prepare_resident_funeral(
    tx: Transaction, command: PrepareResidentFuneral, policy: BenefitsPolicy
) -> Sequence[Shown]:
    """Determine the funeral aid of a resident, with what is left of the account.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        Refused: DEATH_NOT_KNOWN, DEATH_DATE_DIFFERS, NO_PARTICIPATION, FUNERAL_ALREADY_DETERMINED,
            POLICY_PARAMETER_MISSING.
    """
    person = await known_person(tx, command.person_id)
    require_death(await died_month(tx, person.person_id), command.death_date)
    spells = await register.spells(tx, person.person_id)
    known = await decisions.benefits(tx, person.person_id)
    is_insured = any(one.scheme is Scheme.RESIDENT_PENSION for one in spells)
    if not is_insured and not any(one.kind is Kind.RESIDENT_PENSION for one in known):
        raise not_insured(Scheme.RESIDENT_PENSION)
    notes = [f"document {command.document}", f"died {command.death_date}, left in the account {command.balance_left}"]
    office = _Office(tx, policy, person, known, notes)
    facts = ResidentFuneralFacts(command.death_date, command.balance_left)
    return [await office.once(Kind.RESIDENT_FUNERAL, facts, command.payee, command.death_date)]


def require_death(died: Month | None, day: date) -> Month:
    """The month of a death that the register knows, when the document says the same.

    Raises:
        Refused: DEATH_NOT_KNOWN, DEATH_DATE_DIFFERS.
    """
    if died is None:
        raise Refused("DEATH_NOT_KNOWN", "the register knows no death of this person", source=("SIL",))
    if died != Month.of(day):
        raise Refused("DEATH_DATE_DIFFERS", "the register knows another month of death", month=str(died))
    return died


def _once(command: PrepareWorkDeath) -> list[Kind]:
    """What is paid once."""
    if command.without_once:
        return []
    if command.missing:
        return [Kind.INJURY_DEATH_GRANT] if command.hardship else []
    funeral = [] if command.without_funeral else [Kind.INJURY_FUNERAL]
    return funeral if command.after_paid_leave else [*funeral, Kind.INJURY_DEATH_GRANT]


def _is(benefit: BenefitRow, kind: Kind, share: str) -> bool:
    return benefit.kind is kind and base_of(benefit.share) == share and benefit.end_reason is not EndReason.REVOKED


class _Office:
    """Writes the determinations of one death."""

    def __init__(
        self,
        tx: Transaction,
        policy: BenefitsPolicy,
        person: PersonRow,
        known: Sequence[BenefitRow],
        notes: list[str],
    ) -> None:
        self.tx, self.policy, self.person, self.known, self.notes = tx, policy, person, known, notes

    async def once(self, kind: Kind, facts: KindFacts, payee: Payee, event: date, *, share: str = "") -> Shown:
        """A benefit that is paid once, in the month of today."""
        share, month = self._place(kind, share, Month.of(self.tx.today), Month.of(event))
        result = calculated(kind, facts, month, self.policy)
        return await write(
            self.tx,
            self.person,
            result,
            payee,
            first_month=month,
            last_month=month,
            event_month=Month.of(event),
            notes=self.notes,
            share=share,
        )

    async def monthly(
        self, facts: WorkDeathFacts, share: str, payee: Payee, months: tuple[Month, Month | None], event: Month
    ) -> Shown:
        """A dependant's pension, to the end of the entitlement where one is known."""
        kind = Kind.INJURY_DEPENDANT
        number, last = int(share), months[1]
        share, first = self._place(kind, share, months[0], event)
        if last is not None and last < first:
            raise InvalidInput("DEPENDANTS_INVALID", "an entitlement ends before it begins", field="dependants")
        result = calculated(kind, replace(facts, number=number), first, self.policy)
        ends = "no end known" if last is None else f"entitled until {last}"
        notes = [*self.notes, f"dependant {number} of {len(facts.dependants)}, {ends}"]
        return await write(
            self.tx,
            self.person,
            result,
            payee,
            first_month=first,
            last_month=last,
            event_month=event,
            notes=notes,
            share=share,
        )

    def _place(self, kind: Kind, share: str, first: Month, event: Month) -> tuple[str, Month]:
        named, month = place(self.known, kind, share, first)
        exclusion.require_free(Wanted(kind, share, month, event), self.known)
        return named, month
