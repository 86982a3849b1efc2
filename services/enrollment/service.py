"""What the enrolment service consists of."""

from chassis.config import Settings
from chassis.files import Files
from chassis.policy import policy_of
from chassis.sealed import Sealer
from chassis.service import Service
from services.enrollment import declarations_file, history_file, roster_file
from services.enrollment.events import CONSUMERS
from services.enrollment.operations import (
    accounts,
    figures,
    history,
    persons_declarations,
    persons_duplicates,
    roster,
)
from services.enrollment.operations.archive import Archive
from services.enrollment.operations.office import Office
from services.enrollment.policy import EnrollmentPolicy
from services.enrollment.rpc.enrollment import EnrollmentRpc
from services.enrollment.rpc.persons import PersonsRpc


def build(settings: Settings) -> Service:
    """The service, from its settings."""
    office = open_office(settings)
    histories = Archive(office.files, history_file.open_file)
    rosters = Archive(office.files, roster_file.open_file)
    declarations = Archive(office.files, declarations_file.open_file)
    return Service(
        settings=settings,
        servicers=[EnrollmentRpc(office, histories, rosters), PersonsRpc(office, declarations)],
        consumers=CONSUMERS,
        jobs=[
            accounts.job_kind(office),
            history.job_kind(histories, office),
            roster.job_kind(rosters, office),
            persons_declarations.job_kind(declarations, office),
            persons_duplicates.job_kind(),
        ],
        figures=figures.count,
    )


def open_office(settings: Settings) -> Office:
    """The law, the keys and the uploads that the settings name."""
    return Office(
        policy=EnrollmentPolicy(policy_of(settings)),
        exchange=Sealer.load(settings.keys_dir / "enrollment-card.exchange.key"),
        files=Files(settings.files_dir, settings.keys_dir),
        is_production=settings.is_prod,
    )
