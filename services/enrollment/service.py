"""What the enrolment service consists of."""

from chassis.config import Settings
from chassis.files import Files
from chassis.policy import policy_of
from chassis.processes import Processes
from chassis.sealed import Sealer
from chassis.service import Service
from services.enrollment import declarations_file, receipts_file, roster_file, timetable, years_file
from services.enrollment.events import CONSUMERS
from services.enrollment.operations import (
    accounts,
    city,
    city_covers,
    collection_books,
    collection_differences,
    collection_files,
    collection_late_fees,
    cover_interest,
    figures,
    history,
    moving_import,
    moving_parity,
    persons_declarations,
    persons_duplicates,
    roster,
    support_aid,
)
from services.enrollment.operations.archive import Archive
from services.enrollment.operations.office import Office
from services.enrollment.policy import EnrollmentPolicy
from services.enrollment.rpc.city import CityRpc
from services.enrollment.rpc.collection import CollectionRpc
from services.enrollment.rpc.cover import CoverRpc
from services.enrollment.rpc.enrollment import EnrollmentRpc
from services.enrollment.rpc.moving import MovingRpc
from services.enrollment.rpc.persons import PersonsRpc
from services.enrollment.rpc.support import SupportRpc


def build(settings: Settings) -> Service:
    """The service, from its settings."""
    office = open_office(settings)
    histories = Archive(office.files, years_file.open_any)
    processes = Processes()
    rosters = Archive(office.files, roster_file.open_file)
    declarations = Archive(office.files, declarations_file.open_file)
    receipts = Archive(office.files, receipts_file.open_file)
    return Service(
        settings=settings,
        servicers=[
            EnrollmentRpc(office, histories, rosters),
            PersonsRpc(office, declarations),
            CityRpc(office),
            CollectionRpc(office, receipts),
            CoverRpc(office),
            MovingRpc(office),
            SupportRpc(office),
        ],
        consumers=CONSUMERS,
        jobs=[
            accounts.job_kind(office),
            history.job_kind(histories, office),
            roster.job_kind(rosters, office),
            persons_declarations.job_kind(declarations, office),
            persons_duplicates.job_kind(),
            city.job_kind(office),
            city_covers.job_kind(office),
            moving_import.job_kind(histories, office, processes),
            moving_parity.job_kind(histories, office),
            *collection_files.job_kinds(receipts, office),
            collection_differences.job_kind(office),
            collection_books.job_kind(),
            collection_late_fees.job_kind(office),
            *support_aid.job_kinds(),
            cover_interest.job_kind(office),
        ],
        timetable=timetable.entries(office),
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
