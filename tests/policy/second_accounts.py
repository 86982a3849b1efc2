"""Numbers of people, contributions and accounts, calculated a second time: whole numbers and fractions.

Nothing of the product is imported, so that a mistake would have to be made twice.
"""

from __future__ import annotations

import calendar
from datetime import date
from fractions import Fraction
from typing import Any

from tests.policy.second_pensions import counted
from tests.policy.second_program import fen, text

Plain = dict[str, Any]

SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100
ORGANISATION = {**{str(n): n for n in range(10)}, **{chr(65 + n): 10 + n for n in range(26)}}  # GB 11714


def remainder(number: str) -> int:
    """Of a citizen number read as one in base two, the X as ten, modulo eleven: one where it is right."""
    return sum("0123456789X".index(sign) << (17 - at) for at, sign in enumerate(number)) % 11


def credit_remainder(code: str) -> int:
    """Of a credit code by powers of three modulo 31: none where it is right."""
    return sum(SIGNS.index(sign) * (3**at if at < 17 else 1) for at, sign in enumerate(code)) % 31


def organisation_sign(first_8: str) -> str:
    """The check character of an organisation code."""
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    return "0123456789X"[-sum(ORGANISATION[sign] * weight for sign, weight in zip(first_8, weights, strict=True)) % 11]


def id_check(given: Plain) -> Plain:
    """GB 11643: form, day of birth, not to come, check character."""
    number = str(given["number"]).upper()
    digits, check = number[:17], number[17:]
    shaped = len(number) == 18 and digits.isascii() and digits.isdigit() and check in "0123456789X"
    if not shaped or number[0] == "0" or number[6:8] not in ("18", "19", "20"):
        return {"valid": False, "reason": "FORMAT"}
    year, month, day = int(number[6:10]), int(number[10:12]), int(number[12:14])
    if not (1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]):
        return {"valid": False, "reason": "BIRTH_DATE"}
    birth = f"{year}-{month:02d}-{day:02d}"
    if birth > given["as_of"]:
        return {"valid": False, "reason": "FUTURE_BIRTH"}
    if remainder(number) != 1:
        return {"valid": False, "reason": "CHECKSUM"}
    return {
        "valid": True,
        "birth": birth,
        "sex": "male" if int(number[16]) % 2 else "female",
        "division": number[:6],
    }


def uscc_check(given: Plain) -> Plain:
    """GB 32100: form, check character; the code of the organisation inside is a hint."""
    code = str(given["code"])
    if len(code) != 18 or any(sign not in SIGNS for sign in code):
        return {"valid": False, "reason": "FORMAT"}
    if credit_remainder(code):
        return {"valid": False, "reason": "CHECKSUM"}
    return {
        "valid": True,
        "org_check_ok": code[16] == organisation_sign(code[8:16]),
        "authority": code[0],
        "kind": code[1],
        "division": code[2:8],
    }


def contribution(given: Plain) -> Plain:
    """The wage between the limits, each share of it rounded."""
    base = max(fen(given["floor"]), min(fen(given["ceiling"]), fen(given["wage"])))
    shares = {name: text(fen(Fraction(base, 100) * Fraction(rate))) for name, rate in given["rates"].items()}
    return {"base": text(base), **shares}


def late_fee(given: Plain) -> Plain:
    """Five in ten thousand a day."""
    days = max(0, (date.fromisoformat(given["paid"]) - date.fromisoformat(given["due"])).days)
    return {"days": days, "fee": text(fen(Fraction(given["amount"]) * days / 2000))}


def transfer(given: Plain) -> Plain:
    """The account, and twelve in a hundred of each year's bases from 1998 on."""
    pooled = sum(
        fen(Fraction(row["monthly_base"]) * row["months"] * 12 / 100) for row in given["years"] if row["year"] >= 1998
    )
    account = fen(given["account_balance"])
    return {"account": text(account), "pooled": text(pooled), "total": text(account + pooled)}


def overlap(given: Plain) -> Plain:
    """The months of each resident year that stand in a range of employment, once."""
    employed = {month for first, last in given["employee_ranges"] for month in range(counted(first), counted(last) + 1)}
    rows, total = [], 0
    for year in sorted(given["resident_years"]):
        months = sum(month // 12 == int(year) for month in employed)
        refund = fen(Fraction(given["resident_years"][year]) * months / 12)
        rows.append({"year": int(year), "months": months, "refund": text(refund)})
        total += refund
    return {"by_year": rows, "refund_total": text(total)}


def _year(opening: int, rate: str, monthly: dict[int, int], method: str) -> tuple[int, int, int, int]:
    paid = sum(monthly.values())
    if method == "annual_factor":
        new = fen(Fraction(paid, 100) * Fraction(rate) * Fraction(1083, 2000))
    else:
        new = fen(Fraction(sum(amount * (13 - month) for month, amount in monthly.items()), 100) * Fraction(rate) / 12)
    old = fen(Fraction(opening, 100) * Fraction(rate))
    return paid, old, new, opening + old + paid + new


def account_year(given: Plain) -> Plain:
    """One year of an account."""
    monthly = {int(month): fen(amount) for month, amount in given["monthly"].items()}
    paid, old, new, closing = _year(fen(given["opening"]), given["rate"], monthly, given.get("method", ""))
    return {
        "contribution": text(paid),
        "interest_on_opening": text(old),
        "interest_on_new": text(new),
        "closing": text(closing),
    }


def account_years(given: Plain) -> Plain:
    """Year after year."""
    balance, rows = fen(given["opening"]), []
    for one in sorted(given["years"], key=lambda one: int(one["year"])):
        monthly = {int(month): fen(one["monthly"]) for month in one["months"]}
        *_, balance = _year(balance, one["rate"], monthly, given.get("method", ""))
        rows.append({"year": one["year"], "closing": text(balance)})
    return {"by_year": rows, "closing": text(balance)}


def account_at_retirement(given: Plain) -> Plain:
    """The months of the last year up to the pension."""
    opening, k, rate = fen(given["opening"]), given["k"], Fraction(given["rate"])
    monthly = {int(month): fen(amount) for month, amount in given["monthly"].items()}
    old = fen(Fraction(opening, 100) * rate * k / 12)
    new = fen(Fraction(sum(amount * (k - month + 1) for month, amount in monthly.items()), 100) * rate / 12)
    return {
        "interest_on_opening": text(old),
        "interest_on_new": text(new),
        "balance": text(opening + old + sum(monthly.values()) + new),
    }
