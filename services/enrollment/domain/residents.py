"""What a resident's yearly payment adds to the resident account: the tier, the government's subsidy, collective aid.

Sources: 国发〔2014〕8号; rule account.resident_credit. The interest of these accounts is a provincial rate of its own.
Tiers come from the bureau: without them the law is missing, and the tiers of a demonstration are never taken instead.
"""

from collections.abc import Mapping
from fractions import Fraction

from kernel.dated import DatedValue
from kernel.errors import Refused
from kernel.money import Money
from kernel.statement import Line, Statement

_MONTHS = 12
_SOURCE = ("GF-2014-8",)


def resident_year(year: int, tier: Money, aid: Money, tiers: DatedValue[Mapping[Money, Money]]) -> Statement:
    """The credit of a year: lines ``payment``, ``subsidy`` and, where there is any, ``aid``.

    Args:
        year: Calendar year of the payment.
        tier: What the person chose to pay.
        aid: What a collective adds (集体补助); zero when nothing.
        tiers: Subsidy by tier, in force on the first day of the year.

    Raises:
        Refused: TIER_UNKNOWN with the tiers there are.
    """
    subsidy = tiers.value.get(tier)
    if subsidy is None:
        known = "、".join(str(one) for one in sorted(tiers.value))
        raise Refused("TIER_UNKNOWN", "there is no such tier", field="tier", source=tiers.source, tiers=known)
    use = tiers.use(f"{tier}: {subsidy}")
    inputs = (("year", str(year)), ("tier", str(tier)))
    sources = tuple(dict.fromkeys((*_SOURCE, *tiers.source)))
    lines = [
        Line("payment", tier, "个人缴费", "Paid by the person", str(tier), inputs, sources, (use,), use.provisional),
        Line(
            "subsidy", subsidy, "政府补贴", "Government subsidy", str(subsidy), inputs, sources, (use,), use.provisional
        ),
    ]
    if aid > Money.ZERO:
        lines.append(Line("aid", aid, "集体补助", "Collective aid", str(aid), inputs, _SOURCE))
    return Statement(tuple(lines))


def resident_refund(year: int, payment: Money, months: int) -> Line:
    """The part of a yearly payment that goes back for months with employee insurance; subsidy and aid stay.

    Source: 人社部发〔2014〕17号 (rule overlap.contribution).
    """
    amount = payment.times(Fraction(months, _MONTHS))
    return Line(
        code=f"resident.{year}",
        amount=amount,
        title_zh=f"{year} 年城乡居民缴费退还",
        title_en=f"Resident payment of {year} that goes back",
        formula=f"{payment} × {months} ÷ 12 = {amount}",
        inputs=(("year", str(year)), ("payment", str(payment)), ("months", str(months))),
        sources=("MOHRSS-2014-17",),
    )
