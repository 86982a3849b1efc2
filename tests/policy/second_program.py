"""The kinds of examples of benefits, calculated a second time: fractions and whole numbers, straight from the rules.

Nothing of the product is imported, so that a mistake would have to be made twice.
"""

from __future__ import annotations

import calendar
from fractions import Fraction
from typing import Any

Plain = dict[str, Any]


def fen(yuan: Any) -> int:
    """Whole fen, half-up."""
    exact = Fraction(yuan) * 100
    return int((2 * exact.numerator + exact.denominator) // (2 * exact.denominator))


def text(amount: int) -> str:
    """Fen as yuan with two decimals."""
    return f"{amount // 100}.{amount % 100:02d}"


def jiao(amount: int) -> int:
    """Fen raised to the next ten."""
    return amount + (-amount % 10)


def government(given: Plain) -> Plain:
    """By the day of retirement."""
    day, old, new = given["retire_date"], fen(given["old"]), fen(given["new"])
    if day < "2014-10-01":
        return {"group": "old", "monthly": text(old)}
    if day > "2024-09-30":
        return {"group": "middle_after_window", "monthly": text(new)}
    tenths = max(1, int(day[:4]) - 2014)
    gain = fen(Fraction(new - old, 100) * tenths / 10) if new > old else 0
    return {"group": "middle", "ratio": f"{tenths // 10}.{tenths % 10}", "monthly": text(old + gain)}


def resident_pension(given: Plain) -> Plain:
    """Base, a 139th of the balance, one in a hundred for each year over fifteen."""
    base = fen(given["base_pension"])
    account = fen(Fraction(fen(given["balance"]), 139 * 100))
    supplement = fen(
        Fraction(base, 100) * Fraction(given.get("supplement_rate", "0.01")) * max(0, given["full_years"] - 15)
    )
    return {
        "account": text(account),
        "supplement": text(supplement),
        "monthly_total": text(base + account + supplement),
    }


def injury(given: Plain) -> Plain:
    """By grade."""
    area = fen(given["area_avg"])
    own = min(max(fen(given["avg12"]), fen(Fraction(area * 6, 1000))), area * 3)
    grade = given["grade"]
    months = {1: 27, 2: 25, 3: 23, 4: 21, 5: 18, 6: 16, 7: 13, 8: 11, 9: 9, 10: 7}[grade]
    out: Plain = {"own_wage": text(own), "one_off": text(own * months)}
    share = {1: 90, 2: 85, 3: 80, 4: 75, 5: 70, 6: 60}.get(grade)
    if share:
        plain, least = fen(Fraction(own * share, 10_000)), fen(given["min_wage"])
        out |= {"allowance": text(max(plain, least)), "topped_up": plain < least}
    if "nursing" in given:
        out["nursing"] = text(fen(Fraction(area * {"full": 5, "most": 4, "part": 3}[given["nursing"]], 1000)))
    return out


def termination(given: Plain) -> Plain:
    """By grade and months left."""
    left = given["months_to_statutory_age"]
    tenths = 10 if left >= 60 else [1, 2, 4, 6, 8][left // 12] if left > 0 else 0
    if given.get("employer_fault") and left > 0:
        tenths = 10
    medical = (
        {5: 20, 6: 16, 7: 12, 8: 8, 9: 5, 10: 3}[given["grade"]]
        * 10_000
        * (14 if given.get("occupational_disease") else 10)
    )
    employment = {5: 95, 6: 85, 7: 45, 8: 35, 9: 25, 10: 15}[given["grade"]] * 1000
    return {
        "ratio": f"{tenths // 10}.{tenths % 10}",
        "medical_fund": text(medical * tenths),
        "employment_employer": text(employment * tenths * 10),
    }


def death(given: Plain) -> Plain:
    """Six months of the area, twenty national incomes, shares of the wage."""
    own = fen(given["own_wage"])
    tenths = [(4 if one["relation"] == "spouse" else 3) + bool(one.get("orphan")) for one in given["dependants"]]
    whole = max(10, sum(tenths))
    return {
        "funeral": text(fen(given["area_avg"]) * 6),
        "one_off": text(fen(given["national_income_prev"]) * 20),
        "dependants": [text(fen(Fraction(own * share, whole * 100))) for share in tenths],
        "scaled": sum(tenths) > 10,
    }


def survivor(given: Plain) -> Plain:
    """Months by years, at most own contributions below five years."""
    yuan = (2 * Fraction(given["annual_income_prev"]) / 12 + 1) // 2
    base = int(yuan) * 100
    paid = given["contribution_months"]
    twelfths = 36 if paid < 60 else 72 if paid < 120 else 108 if paid <= 180 else min(paid, 360) - 180 + 108
    if "drawn_months" in given:
        twelfths = max(108, twelfths - given["drawn_months"])
    pension = fen(Fraction(base * twelfths, 1200))
    total, capped = base * 2 + pension, False
    if paid < 60 and "own_contributions" in given and total > fen(given["own_contributions"]):
        total, capped = fen(given["own_contributions"]), True
    months4 = (2 * Fraction(twelfths * 10_000, 12) + 1) // 2
    return {
        "base": text(base),
        "months": f"{int(months4) // 10_000}.{int(months4) % 10_000:04d}",
        "funeral": text(base * 2),
        "pension": text(pension),
        "total": text(total),
        "capped": capped,
    }


def certification(given: Plain) -> Plain:
    """Twelve months on, to the end of the month."""
    year, month = int(given["last"][:4]) + 1, int(given["last"][5:7])
    due = f"{year}-{month:02d}-{calendar.monthrange(year, month)[1]}"
    after = f"{year + month // 12}-{month % 12 + 1:02d}"
    return {"due_by": due, "suspended_from": after, "state": "valid" if given["as_of"] <= due else "suspended"}


def adjustment(given: Plain) -> Plain:
    """Items one by one."""
    pension, years, before = fen(given["pension"]), Fraction(0), 0
    for band in given["bands"]:
        upto = given["full_years"] if band["upto_years"] is None else min(given["full_years"], band["upto_years"])
        years += max(0, upto - before) * Fraction(band["amount"])
        before = max(before, upto)
    tilt = sum(
        fen(band["amount"])
        for band in given["tilt"]
        if band["age_from"] <= given["age"] and (band["age_to"] is None or given["age"] <= band["age_to"])
    )
    items = {
        "flat": fen(given["flat"]),
        "years": fen(years),
        "percent": fen(Fraction(pension, 100) * Fraction(given["percent"])),
        "tilt": tilt,
    }
    increase = sum(items.values())
    after = {"increase": text(increase), "new_pension": text(jiao(pension + increase))}
    return {**{name: text(amount) for name, amount in items.items()}, **after}
