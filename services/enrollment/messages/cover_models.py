"""Covers, projects and orders as messages of the contract; used by the replies of two services."""

from chassis.values import to_date, to_money, to_month
from hrss.enrollment.v1 import enrollment_pb2 as model
from kernel import ids
from services.enrollment.cover import Cover, CoverKind
from services.enrollment.cover_work import PlatformOrders, ProjectCover
from services.enrollment.messages.words import END_REASONS, STATES

COVER_KINDS = {
    CoverKind.FLEXIBLE: model.COVER_KIND_FLEXIBLE,
    CoverKind.RESIDENT: model.COVER_KIND_RESIDENT,
}


def cover_model(one: Cover) -> model.Cover:
    """A cover of the contract."""
    return model.Cover(
        cover_id=ids.to_text("cov", one.cover_id),
        person_id=ids.to_text("per", one.person_id),
        kind=COVER_KINDS[one.kind],
        division=one.division,
        start_month=to_month(one.start_month),
        end_month=to_month(one.end_month) if one.end_month else None,
        end_reason=END_REASONS[one.end_reason] if one.end_reason else model.END_REASON_UNSPECIFIED,
        state=STATES[one.state],
        bases=[
            model.DeclaredWage(from_month=to_month(base.from_month), wage=to_money(base.amount)) for base in one.bases
        ],
        suspensions=[
            model.Suspension(
                from_month=to_month(rest.from_month),
                until_month=to_month(rest.until_month) if rest.until_month else None,
            )
            for rest in one.suspensions
        ],
        participation_id=ids.to_text("par", one.participation_id),
    )


def project_cover_model(one: ProjectCover) -> model.ProjectCover:
    """A stretch on a project's roster of the contract."""
    return model.ProjectCover(
        project_id=ids.to_text("prj", one.project_id),
        name=one.name,
        from_date=to_date(one.from_date),
        until_date=to_date(one.until_date) if one.until_date else None,
    )


def platform_cover_model(one: PlatformOrders) -> model.PlatformCover:
    """A month with orders of the contract."""
    return model.PlatformCover(
        employer_id=ids.to_text("emp", one.employer_id), month=to_month(one.month), days=one.days, orders=one.orders
    )
