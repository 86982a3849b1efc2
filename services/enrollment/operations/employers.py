"""Employers: registration and look-up."""

from uuid import UUID

from chassis.principal import employer_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, InvalidInput
from services.enrollment.commands import RegisterEmployer
from services.enrollment.messages import facts
from services.enrollment.operations.office import Office
from services.enrollment.register import Employer
from services.enrollment.store import people, persons_employers


async def register_employer(tx: Transaction, command: RegisterEmployer, office: Office) -> Employer:
    """Register an employer (参保单位登记).

    Raises:
        InvalidInput: INJURY_CLASS_INVALID, INJURY_STEP_INVALID: the law of today has no such class or step.
        AlreadyExists: EMPLOYER_ALREADY_REGISTERED.
    """
    classes = office.policy.contributions.industry_rates.on(tx.today).value
    if command.injury_class not in classes:
        raise InvalidInput("INJURY_CLASS_INVALID", "the law has no such industry class", field="injury_class")
    if command.injury_step not in classes[command.injury_class].steps:
        raise InvalidInput("INJURY_STEP_INVALID", "the class has no such float step", field="injury_step")
    employer = Employer(
        employer_id=ids.new_id(),
        credit_code=command.credit_code,
        name=command.name,
        division=command.division,
        injury_class=command.injury_class,
        injury_step=command.injury_step,
        register_date=tx.today,
    )
    if not await people.add_employer(tx, employer):
        raise AlreadyExists("EMPLOYER_ALREADY_REGISTERED", "an employer with this credit code is registered")
    tx.emit(facts.employer_registered(employer))
    tx.audit("RegisterEmployer", detail={"employer_id": ids.to_text("emp", employer.employer_id)})
    return employer


async def employer(tx: Transaction, employer_id: UUID) -> Employer:
    """Show an employer as of today.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
    """
    tx.principal.require_employer(employer_id)
    found = await persons_employers.in_force(tx, employer_id, Month.of(tx.today))
    if found is None:
        raise employer_not_found()
    return found[0]
