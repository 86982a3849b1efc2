"""Benefits that are no pensions, calculated a second time: every input a file of examples may give, and every refusal.

Whole numbers and fractions only, straight from the published rules; nothing of the product is imported, and the figures
of the law are written out here once more, so that a mistake would have to be made twice. The plain inputs of some of
these kinds are known to ``tests.policy.second_program``; what is here takes the optional ones as well.
"""

from __future__ import annotations

import calendar
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tests.policy.second_program import fen, text

Plain = dict[str, Any]

AREA = {2022: 749_000, 2023: 783_917, 2024: 813_200, 2025: 825_400}  # fen a month, by the year of the event
NATION = {
    2013: 26467,
    2014: 28844,
    2015: 31195,
    2016: 33616,
    2017: 36396,
    2018: 39251,
    2019: 42359,
    2020: 43834,
    2021: 47412,
    2022: 49283,
    2023: 51821,
    2024: 54188,
    2025: 56502,
}  # fmt: skip - yuan a year
PROVINCE = {2020: 53102, 2021: 57743, 2022: 60178, 2023: 63211, 2024: 66173, 2025: 68956}  # yuan a year
LEAST_WAGE = [
    ("2016-01-01", 1770, 1600, 1400),
    ("2017-07-01", 1890, 1720, 1520),
    ("2018-08-01", 2020, 1830, 1620),
    ("2021-08-01", 2280, 2070, 1840),
    ("2024-01-01", 2490, 2260, 2010),
    ("2026-01-01", 2660, 2430, 2180),
]  # fmt: skip - first day, class 1 to 3


def half_up(value: Fraction) -> int:
    """The nearest whole number, halves up."""
    return int((2 * value.numerator + value.denominator) // (2 * value.denominator))


def unemployment(given: Plain) -> Plain:
    """Share of the average by months, then the cap, then the floor; months by bands and what was left over."""
    months = given["months"]
    if months < 12:
        return {"eligible": False, "reason": "LESS_THAN_12_MONTHS"}
    share = 45 + 5 * (months >= 120) + 5 * (months >= 240)
    amount, by = fen(Fraction(given["avg_base"]) * share / 100), "rate"
    if amount > (most := fen(given["min_wage"])):
        amount, by = most, "cap"
    least = fen(given["floor"]) if "floor" in given else 0
    if "dibao" in given:
        least = fen(Fraction(given["dibao"]) * 3 / 2)
    if amount < least:
        amount, by = least, "floor"
    whole = 12 + 6 * (months >= 60) + 6 * (months >= 120)
    return {
        "eligible": True,
        "rate": f"0.{share}",
        "monthly": text(amount),
        "limited_by": by,
        "months": min(24, whole + given.get("carried_months", 0)),
    }


def injury(given: Plain) -> Plain:
    """One sum and a monthly allowance by grade, care by degree."""
    area = fen(given["area_avg"]) if "area_avg" in given else AREA[int(given["event_date"][:4])]
    if "bases" in given:
        mean = half_up(Fraction(sum(fen(base) for base in given["bases"]), len(given["bases"])))
    else:
        mean = fen(given["avg12"])
    least, most = half_up(Fraction(area * 3, 5)), area * 3
    own = max(least, min(mean, most))
    grade = given["grade"]
    out: Plain = {"own_wage": text(own), "one_off": text(own * (29 - 2 * grade if grade < 5 else SUMS[grade]))}
    if grade < 5 or (grade < 7 and not given.get("suitable_work", False)):
        amount = half_up(Fraction(own * (95 - 5 * grade if grade < 5 else 120 - 10 * grade), 100))
        floor = fen(given["min_wage"])
        out["allowance"] = text(max(floor, amount))
        out["topped_up"] = floor > amount
    if "nursing" in given:
        out["nursing"] = text(
            half_up(Fraction(area * 10 * (5 - ["full", "most", "part"].index(given["nursing"])), 100))
        )
    return out


SUMS = {5: 18, 6: 16, 7: 13, 8: 11, 9: 9, 10: 7}


def termination(given: Plain) -> Plain:
    """The fixed grants, less for who asks to leave within five years of the age; nothing once it is reached."""
    left, grade = given["months_to_statutory_age"], given["grade"]
    if left <= 0:
        hundredths = 0
    elif given.get("employer_fault") or given.get("initiated_by", "worker") == "employer" or left > 59:
        hundredths = 100
    else:
        hundredths = 10 if left < 12 else (left // 12) * 20
    medical = {5: 20, 6: 16, 7: 12, 8: 8, 9: 5, 10: 3}[grade] * 1_000_000
    if given.get("occupational_disease"):
        medical = medical * 140 // 100
    employment = {5: 950, 6: 850, 7: 450, 8: 350, 9: 250, 10: 150}[grade] * 10_000
    return {
        "ratio": f"{hundredths // 100}.{hundredths % 100:02d}",
        "medical_fund": text(medical * hundredths // 100),
        "employment_employer": text(employment * hundredths // 100),
    }


def death(given: Plain) -> Plain:
    """Funeral, the one sum of the nation, and shares of the wage that end at the wage."""
    year = int(given["event_date"][:4]) if "event_date" in given else 0
    area = fen(given["area_avg"]) if "area_avg" in given else AREA[year]
    nation = fen(given["national_income_prev"]) if "national_income_prev" in given else NATION.get(year - 1, 0) * 100
    shares = [
        (40 if one["relation"] == "spouse" else 30) + 10 * bool(one.get("orphan") or one.get("lonely"))
        for one in given.get("dependants", [])
    ]
    own, whole = fen(given.get("own_wage", 0)), sum(shares)
    out: Plain = {"funeral": text(area * 6)}
    if not given.get("after_paid_leave"):
        out["one_off"] = text(nation * 20)
    cut = Fraction(100, whole) if whole > 100 else Fraction(1)
    out["dependants"] = [text(half_up(own * Fraction(share, 100) * cut)) for share in shares]
    out["scaled"] = whole > 100
    return out


def survivor(given: Plain) -> Plain:
    """Two months for the funeral, and months by the years paid, less the years drawn."""
    paid, drawn = given["contribution_months"], given.get("drawn_months")
    if "base_override" in given:
        base = fen(given["base_override"])
    elif "annual_income_prev" in given:
        base = 100 * half_up(Fraction(given["annual_income_prev"]) / 12)
    else:
        base = 100 * half_up(Fraction(PROVINCE[int(given["death_date"][:4]) - 1], 12))
    years = Fraction(paid, 12)
    if years < 5:
        months = Fraction(3)
    elif years < 10:
        months = Fraction(6)
    elif years <= 15:
        months = Fraction(9)
    else:
        months = 9 + min(years, Fraction(30)) - 15
    if drawn is not None:
        months = max(Fraction(9), months - Fraction(drawn, 12))
    funeral, pension = 2 * base, half_up(base * months)
    total, capped = funeral + pension, False
    own = given.get("own_contributions")
    if years < 5 and own is not None and total > fen(own):
        total, capped = fen(own), True
    shown = half_up(months * 10_000)
    return {
        "base": text(base),
        "months": f"{shown // 10_000}.{shown % 10_000:04d}",
        "funeral": text(funeral),
        "pension": text(pension),
        "total": text(total),
        "capped": capped,
    }


def funeral_choice(given: Plain) -> Plain:
    """One grant of those that are due."""
    return {"eligible": sorted(given), "payable_count": 1, "max": text(max(fen(amount) for amount in given.values()))}


def year_later(day: date) -> date:
    """The same day a year on; a leap day becomes the last of February."""
    return date(day.year + 1, day.month, min(day.day, calendar.monthrange(day.year + 1, day.month)[1]))


def skill_subsidy(given: Plain) -> Plain:
    """The first reason against a claim in the published order, or its amount; ``None`` for one not configured."""
    issued, applied = date.fromisoformat(given["issue_date"]), date.fromisoformat(given["apply_date"])
    status = given.get("person_status", "employed")
    prior = given.get("prior", [])
    same = [one["level"] for one in prior if one["occupation"] == given["occupation"]]
    drawn = sum(one["apply_date"][:4] == given["apply_date"][:4] for one in prior)
    urgent = bool(given.get("urgent"))
    most = 3 if urgent and applied.year >= 2025 else 1
    against = [
        ("CERTIFICATE_NOT_FOUND", not given.get("certificate_found", True)),
        ("PERSON_STATUS", status != "employed" and not (status == "unemployment_claimant" and applied.year >= 2022)),
        ("WINDOW", not issued <= applied <= year_later(issued)),
        ("NOT_ENOUGH_MONTHS", given["insured_months"] < (36 if issued.year < 2019 else 12)),
        ("DUPLICATE_OCC_LEVEL", given["level"] in same),
        ("LOWER_LEVEL", any(level < given["level"] for level in same)),
        ("CROSS_SUBSIDY", bool(given.get("cross_subsidy"))),
        ("YEAR_LIMIT", applied.year >= 2022 and drawn >= most),
    ]
    for reason, stands in against:
        if stands:
            return {"grant": False, "reason": reason}
    uplift = min(Fraction(given.get("uplift", 0)), Fraction(1, 2)) if urgent else Fraction(0)
    plain = {5: 1000, 4: 1500, 3: 2000}.get(given["level"])
    return {"grant": True, "amount": text(fen(plain * (1 + uplift))) if plain else None}


def ecard_password(given: Plain) -> Plain:
    """Six digits that are no pattern and not part of the number of identity."""
    word = given["password"]
    steps = {ord(right) - ord(left) for left, right in pairwise(word)}
    if len(word) != 6 or not all("0" <= one <= "9" for one in word):
        reason = "FORMAT"
    elif steps == {0}:
        reason = "REPEATED"
    elif steps in ({1}, {-1}):
        reason = "CONSECUTIVE"
    elif word in given["id_number"]:
        reason = "FROM_ID"
    else:
        return {"ok": True}
    return {"ok": False, "reason": reason}


def ecard_usable(given: Plain) -> Plain:
    """A card that is in order, and level 2 for paying."""
    if given["physical"] != "normal":
        return {"usable": False, "reason": f"PHYSICAL_{given['physical'].upper()}"}
    if given["operation"] == "pay" and given["level"] < 2:
        return {"usable": False, "reason": "NEEDS_LEVEL_2"}
    return {"usable": True}


def indicator(given: Plain) -> Plain:
    """Compared as printed; progress in hundredths of a percent."""
    actual, target = Fraction(given["actual"]), Fraction(given["target"])
    met = {">=": actual >= target, ">": actual > target, "<": actual < target, "<=": actual <= target}[given["op"]]
    return {"met": met, "progress": text(half_up(actual / target * 10_000))}
