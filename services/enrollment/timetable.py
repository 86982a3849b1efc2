"""What enrolment does by itself (定时任务). Bills go out only where the office says so.

Days and times are the office's habit and no rule of law (*assumed*, docs/decisions/0270).
"""

from datetime import timedelta
from uuid import UUID

from chassis.timetable import Entry, Missed, Preset, monthly, yearly
from chassis.transaction import Transaction
from kernel.calendar import Month
from services.enrollment.billing import BillKind
from services.enrollment.domain.contributions import Scheme
from services.enrollment.operations import (
    accounts,
    city,
    collection_books,
    collection_late_fees,
    cover_interest,
    persons_duplicates,
    support_aid,
)
from services.enrollment.operations.office import Office

INTEREST = {
    Scheme.RESIDENT_PENSION: ("居民养老保险", "residents"),
    Scheme.GOVERNMENT_PENSION: ("机关事业养老保险", "government posts"),
    Scheme.OCCUPATIONAL_ANNUITY: ("职业年金", "the occupational annuity"),
}
BILLS = {
    BillKind.EMPLOYER: ("用人单位", "employers"),
    BillKind.GOVERNMENT: ("机关事业单位", "government bodies"),
    BillKind.FLEXIBLE: ("灵活就业人员", "flexible workers"),
}


def entries(office: Office) -> list[Entry]:
    """The recurring work of enrolment."""

    async def late_fees(tx: Transaction) -> UUID:
        # What is accrued is a figure of the month's last day; fees of late payers are demanded by people.
        yesterday = tx.today - timedelta(days=1)
        return (await collection_late_fees.start(tx, yesterday, with_demands=False, office=office))[1].id

    async def interest(tx: Transaction) -> UUID:
        return (await accounts.close_account_year(tx, tx.today.year - 1, office)).id

    async def books(tx: Transaction) -> UUID:
        return (await collection_books.check_books(tx)).id

    async def duplicates(tx: Transaction) -> UUID:
        return (await persons_duplicates.find(tx)).id

    async def aid(tx: Transaction) -> UUID:
        return (await support_aid.start_run(tx, tx.today.year, office))[1].id

    return [
        Entry(
            "late_fees",
            "计提上月末滞纳金",
            "Accrue late fees as of the end of the month",
            monthly(1, "01:00"),
            late_fees,
            missed=Missed.EACH,
        ),
        Entry(
            "account_interest",
            "职工个人账户上年计息",
            "Book last year's interest on the accounts of employees",
            yearly(1, 2, "02:00"),
            interest,
            missed=Missed.EACH,
        ),
        *(_interest(scheme, office) for scheme in INTEREST),
        Entry("books", "核对征缴账务", "Prove the books of enrolment", monthly(2, "01:00"), books),
        Entry(
            "duplicate_persons",
            "查找疑似重复登记",
            "Look for records that look like one person",
            monthly(3, "01:00"),
            duplicates,
        ),
        *(_bills(kind, office) for kind in BILLS),
        Entry(
            "premium_aid",
            "核定当年代缴名单",
            "Assess the year's premiums that the government pays",
            yearly(1, 5, "02:00"),
            aid,
            missed=Missed.EACH,
            preset=Preset.OFF,
        ),
    ]


def _interest(scheme: Scheme, office: Office) -> Entry:
    async def start(tx: Transaction) -> UUID:
        return (await cover_interest.close_year(tx, scheme, tx.today.year - 1, office)).id

    zh, en = INTEREST[scheme]
    return Entry(
        f"{scheme.value}_interest",
        f"{zh}账户上年计息",
        f"Book last year's interest on the accounts of {en}",
        yearly(1, 2, "03:00"),
        start,
        missed=Missed.EACH,
    )


def _bills(kind: BillKind, office: Office) -> Entry:
    async def start(tx: Transaction) -> UUID:
        return (await city.start_bill_run(tx, Month.of(tx.today), office, kind))[1].id

    zh, en = BILLS[kind]
    return Entry(
        f"{kind.value.lower()}_bills",
        f"{zh}当月批量核定",
        f"Bill the month of {en}",
        monthly(1, "05:00"),
        start,
        missed=Missed.EACH,
        preset=Preset.OFF,
    )
