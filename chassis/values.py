"""Values of `hrss.type.v1` and of the kernel, both ways: days, months, amounts, rates, words, statements, jobs."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, TypeVar

from hrss.type.v1 import calendar_pb2, job_pb2, money_pb2, statement_pb2, timetable_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import DomainError, InvalidInput
from kernel.money import Money

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from asyncpg import Record

    from chassis.jobs import Job
    from kernel.statement import Line, ParameterUse, Statement

N = TypeVar("N", bound=int)
W = TypeVar("W")

_YEAR_FIRST = 1800  # as the contract says; earlier months and days are typing errors
_YEAR_LAST = 9999
FEN_MAX = 10**14


def month_of(message: calendar_pb2.Month, field: str) -> Month:
    """Read a month.

    Raises:
        InvalidInput: MONTH_IMPOSSIBLE, also for a month that was not given.
    """
    if not _YEAR_FIRST <= message.year <= _YEAR_LAST:
        raise InvalidInput("MONTH_IMPOSSIBLE", "a month has a year from 1800 to 9999", field=field)
    try:
        return Month(message.year, message.month)
    except DomainError:
        raise InvalidInput("MONTH_IMPOSSIBLE", "the calendar has no such month", field=field) from None


def date_of(message: calendar_pb2.Date, field: str) -> date:
    """Read a day.

    Raises:
        InvalidInput: DATE_IMPOSSIBLE, also for a day that was not given.
    """
    if not _YEAR_FIRST <= message.year <= _YEAR_LAST:
        raise InvalidInput("DATE_IMPOSSIBLE", "a date has a year from 1800 to 9999", field=field)
    try:
        return date(message.year, message.month, message.day)
    except ValueError:
        raise InvalidInput("DATE_IMPOSSIBLE", "the calendar has no such day", field=field) from None


def money_of(message: money_pb2.Money, field: str) -> Money:
    """Read an amount that cannot be negative.

    Raises:
        InvalidInput: MONEY_OUT_OF_RANGE.
    """
    if not 0 <= message.fen <= FEN_MAX:
        raise InvalidInput("MONEY_OUT_OF_RANGE", "the amount is negative or absurdly large", field=field)
    return Money(message.fen)


def word_of(words: Mapping[N, W], number: N, field: str) -> W:
    """Read a value of an enum that must be given.

    Raises:
        InvalidInput: VALUE_REQUIRED.
    """
    if number not in words:
        raise InvalidInput("VALUE_REQUIRED", "the field must name one of its values", field=field)
    return words[number]


def to_date(day: date) -> calendar_pb2.Date:
    """A day for the wire."""
    return calendar_pb2.Date(year=day.year, month=day.month, day=day.day)


def to_month(month: Month) -> calendar_pb2.Month:
    """A month for the wire."""
    return calendar_pb2.Month(year=month.year, month=month.month)


def to_money(amount: Money) -> money_pb2.Money:
    """An amount for the wire."""
    return money_pb2.Money(fen=amount.fen)


def to_rate(rate: Decimal) -> money_pb2.Rate:
    """An exact number for the wire, never with an exponent."""
    return money_pb2.Rate(decimal=format(rate, "f"))


def to_statement(statement: Statement, policy_version: str = "") -> statement_pb2.Statement:
    """A statement for the wire."""
    return statement_pb2.Statement(
        lines=[_line(line) for line in statement.lines],
        total=to_money(statement.total),
        provisional=statement.provisional,
        policy_version=policy_version,
    )


def _line(line: Line) -> statement_pb2.StatementLine:
    return statement_pb2.StatementLine(
        code=line.code,
        amount=to_money(line.amount),
        title_zh=line.title_zh,
        title_en=line.title_en,
        formula=line.formula,
        inputs=[statement_pb2.StatementInput(name=name, value=value) for name, value in line.inputs],
        sources=line.sources,
        parameters=[_parameter(use) for use in line.parameters],
        provisional=line.provisional,
    )


def _parameter(use: ParameterUse) -> statement_pb2.ParameterUse:
    return statement_pb2.ParameterUse(
        file=use.file,
        key=use.key,
        value=use.value,
        effective=use.effective,
        confidence=use.confidence,
        sources=use.sources,
        provisional=use.provisional,
    )


def to_job(job: Job) -> job_pb2.Job:
    """Write a job and its progress."""
    reply = job_pb2.Job(
        job_id=ids.to_text("job", job.id),
        kind=job.kind,
        state=job_pb2.JobState.Value(f"JOB_STATE_{job.state}"),
        total_count=job.total_count,
        done_count=job.done_count,
        rejected_count=job.rejected_count,
        skipped_count=job.skipped_count,
        message=job.message,
    )
    reply.create_time.FromDatetime(job.created)
    if job.ended is not None:
        reply.end_time.FromDatetime(job.ended)
    return reply


def to_timetable_entry(row: Record) -> timetable_pb2.TimetableEntry:
    """Write an entry of the timetable, from a row of `chassis.timekeeper.listed`."""
    reply = timetable_pb2.TimetableEntry(
        name=row["entry"],
        title_zh=row["zh"],
        title_en=row["en"],
        when_zh=row["when_zh"],
        when_en=row["when_en"],
        off_reason=row["off"],
    )
    if row["next"] is not None:
        reply.next_time.FromDatetime(row["next"])
    if row["state"] is not None:
        last = reply.last
        last.business_date.CopyFrom(to_date(row["business_date"]))
        last.state = timetable_pb2.TimetableState.Value(f"TIMETABLE_STATE_{row['state']}")
        last.tries, last.left_out_count, last.reason = row["attempts"], row["left_out"], row["reason"]
        last.start_time.FromDatetime(row["created"])
        if row["job_id"] is not None:
            last.job_id = ids.to_text("job", row["job_id"])
            last.job_state = job_pb2.JobState.Value(f"JOB_STATE_{row['job_state']}")
        if row["ended"] is not None:
            last.end_time.FromDatetime(row["ended"])
        if row["state"] == "FAILED":
            last.retry_time.FromDatetime(row["due"])
    return reply
