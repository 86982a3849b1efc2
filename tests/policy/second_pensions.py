"""Ages, indices, pensions and what follows them, calculated a second time: fractions and counted months.

Nothing of the product is imported, so that a mistake would have to be made twice.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tests.policy.second_program import fen, jiao, text

Plain = dict[str, Any]

REFORM = 2025 * 12  # January 2025, as year * 12 + month - 1
# years of the original age, months of birth per month of delay, the most delay
TRACKS = {"male_60": (60, 4, 36), "female_55": (55, 4, 36), "female_50": (50, 2, 60)}
# 国发〔2005〕38号, from the age of 40
PAYOUT = (
    *(233, 230, 226, 223, 220, 216, 212, 208, 204, 199, 195, 190, 185, 180, 175, 170),
    *(164, 158, 152, 145, 139, 132, 125, 117, 109, 101, 93, 84, 75, 65, 56),
)


def counted(month: str) -> int:
    """A month as a number that counts on; a day in it is of no matter."""
    return int(month[:4]) * 12 + int(month[5:7]) - 1


def named(count: int) -> str:
    """The month of a number."""
    return f"{count // 12:04d}-{count % 12 + 1:02d}"


def payout(age: int) -> str:
    """The months by which an account is divided, at an age in months: one decimal beside whole ages."""
    years, months = divmod(age, 12)
    if years >= 70:
        return str(PAYOUT[-1])
    low, high = PAYOUT[years - 40], PAYOUT[years - 39]
    if not months:
        return str(low)
    tenths = ((low * 12 - (low - high) * months) * 10 * 2 + 12) // 24
    return f"{tenths // 10}.{tenths % 10}"


def least(month: int) -> int:
    """The fewest months paid for a pension from a month on."""
    return 180 + 6 * min(10, max(0, month // 12 - 2029))


def ages(given: Plain) -> tuple[int, int, int]:
    """Birth, original and statutory month, counted."""
    years, step, most = TRACKS[given["track"]]
    birth = counted(given["birth"])
    original = birth + years * 12
    started = original - REFORM
    return birth, original, original + (0 if started < 0 else min(most, started // step + 1))


def retirement(given: Plain) -> Plain:
    """The months of a birth."""
    birth, original, statutory = ages(given)
    affected = original >= REFORM
    age = statutory - birth
    return {
        "original": named(original),
        "delay_months": statutory - original,
        "statutory": named(statutory),
        "age": f"{age // 12}y{age % 12}m",
        "earliest": named(max(original, statutory - 36) if affected else statutory),
        "latest": named(statutory + 36 if affected else statutory),
        "payout_months": payout(age),
        "min_contribution_months": least(statutory),
    }


def flexible(given: Plain) -> Plain:
    """A chosen month."""
    birth, original, statutory = ages(given)
    chosen = counted(given["chosen"])
    if original < REFORM:
        return {"allowed": False, "reason": "NOT_APPLICABLE"}
    if chosen < original or chosen < statutory - 36:
        return {"allowed": False, "reason": "TOO_EARLY"}
    if chosen > statutory + 36:
        return {"allowed": False, "reason": "TOO_LATE"}
    needed = least(min(chosen, statutory))
    if given["contribution_months"] < needed:
        return {"allowed": False, "reason": "CONTRIBUTION_SHORT", "required_months": needed}
    kind = "early" if chosen < statutory else "late" if chosen > statutory else "statutory"
    return {"allowed": True, "kind": kind, "required_months": needed, "payout_months": payout(chosen - birth)}


def disability_months(given: Plain) -> Plain:
    """A year, and three months for each year begun after five."""
    return {"pay_months": 12 + 3 * max(0, -((60 - given["contribution_months"]) // 12))}


def avg_index(given: Plain) -> Plain:
    """Each month beside the twelfth of its year's base."""
    months = sum(row["months"] for row in given["rows"])
    whole = sum(
        (
            Fraction(row["monthly_base"]) * 12 * row["months"] / Fraction(row["index_base_year"])
            for row in given["rows"]
        ),
        Fraction(0),
    )
    ten_thousandths = int((2 * whole / months * 10_000 + 1) // 2)
    return {"months": months, "index4": f"{ten_thousandths // 10_000}.{ten_thousandths % 10_000:04d}"}


def _items(base: str, given: Plain) -> tuple[int, int, int, int]:
    basic = fen(Fraction(base) * (1 + Fraction(given["index"])) * given["months"] / 2400)
    account = fen(Fraction(given["balance"]) / Fraction(given["payout_months"]))
    new = fen(Fraction(base) * Fraction(given.get("trans_index", "0")) * given.get("pre1996_months", 0) * 12 / 12_000)
    paid = new
    if "old_transitional" in given:
        old = fen(given["old_transitional"])
        paid = old + (fen(Fraction(new - old, 100) * Fraction(given["blend_ratio"])) if new > old else 0)
    return basic, account, new, paid


def employee_pension(given: Plain) -> Plain:
    """Three items and the raise of their sum."""
    basic, account, new, paid = _items(given["base"], given)
    whole = basic + account + paid
    return {
        "basic": text(basic),
        "account": text(account),
        "transitional_new": text(new),
        "transitional_paid": text(paid),
        "sum": text(whole),
        "monthly_total": text(jiao(whole)),
    }


def recompute(given: Plain) -> Plain:
    """The same with a later base, and what is owed since."""

    def total(base: str) -> int:
        basic, account, _, paid = _items(base, given)
        return jiao(basic + account + paid)

    before, after = total(given["base_provisional"]), total(given["base_final"])
    return {
        "provisional": text(before),
        "final": text(after),
        "difference": signed(after - before),
        "backpay": signed((after - before) * given["paid_months"]),
    }


def resume_backpay(given: Plain) -> Plain:
    """Every month of the gap, both ends too."""
    months = max(0, counted(given["certified_on"]) - counted(given["suspended_from"]) + 1)
    return {"months": months, "backpay": text(fen(given["monthly"]) * months)}


def overpayment(given: Plain) -> Plain:
    """Every month after the one of death."""
    months = max(0, counted(given["paid_through"]) - counted(given["death_date"]))
    return {"months": months, "recover": text(fen(given["monthly"]) * months)}


def signed(amount: int) -> str:
    """Fen as yuan, below nothing too."""
    return text(amount) if amount >= 0 else f"-{text(-amount)}"
