"""Requests and recoveries in words, as staff and citizens read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.benefits.keeping import Method, RequestKind, SuspendReason
from services.benefits.lifecycle import EndReason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.benefits.store.keeping_plans import PlanShown
    from services.benefits.store.keeping_recoveries import Recovery

REASONS = {
    SuspendReason.CERTIFICATION_OVERDUE: ("逾期未认证", "no certification in time"),
    SuspendReason.IMPRISONED: ("服刑", "a sentence is served"),
    SuspendReason.WHEREABOUTS_UNKNOWN: ("下落不明", "whereabouts unknown"),
    SuspendReason.SUSPECTED: ("疑似冒领", "somebody else may draw it"),
    SuspendReason.DOUBLE_BENEFIT: ("疑似重复领取", "may exclude another benefit"),
}
# Why money was paid too much: the end of a benefit, a suspension, or what a recomputation says.
OVERPAID = {
    EndReason.DIED.value: ("死亡登记较晚", "the death became known later"),
    EndReason.REEMPLOYED.value: ("已重新就业", "the person worked again"),
    EndReason.RETIRED.value: ("已享受养老待遇", "the person drew a pension"),
    EndReason.ENTITLEMENT_LOST.value: ("不再符合领取条件", "a condition was no longer met"),
    EndReason.REVOKED.value: ("核定已撤销", "the determination was revoked"),
    SuspendReason.IMPRISONED.value: REASONS[SuspendReason.IMPRISONED],
    "RECOMPUTED": ("重新计算后待遇降低", "computed again, the benefit is lower"),
}
# Why somebody asks that a benefit ends.
ENDS = {
    EndReason.EXHAUSTED: ("期满", "its months are over"),
    EndReason.REEMPLOYED: ("重新就业", "the person works again"),
    EndReason.RETIRED: ("享受养老待遇", "the person draws a pension"),
    EndReason.DIED: ("死亡", "the person died"),
    EndReason.REFUSED_WORK: ("无正当理由拒绝工作或培训", "work or training was refused without reason"),
    EndReason.ENLISTED: ("应征服兵役", "military service"),
    EndReason.EMIGRATED: ("移居境外", "the person moved abroad"),
    EndReason.ENTITLEMENT_LOST: ("丧失领取条件", "a condition is no longer met"),
    EndReason.REVOKED: ("核定有误", "it was determined wrongly"),
}
_OTHER = ("不应发放", "not owed")


def recovery_zh(one: Recovery, plan: PlanShown | None) -> str:
    """A recovery in Chinese."""
    why = OVERPAID.get(one.reason, _OTHER)[0]
    months = str(one.first_month) if one.first_month == one.last_month else f"{one.first_month} 至 {one.last_month}"
    text = f"{months} 多发待遇 {one.amount} 元（{why}）。"
    if one.cancelled.fen:
        text += f"其中 {one.cancelled} 元无须退回。"
    if one.recovered.fen:
        text += f"已退回 {one.recovered} 元。"
    if one.written_off.fen:
        text += f"已核销 {one.written_off} 元。"
    if not one.balance.fen:
        return text + "已结清。"
    text += f"尚欠 {one.balance} 元，不计利息。"
    if plan is not None:
        way = "分期退回" if plan.method is Method.INSTALMENT else "从后续待遇中抵扣"
        text += f"协议自 {plan.first_month} 起每月{way} {plan.monthly} 元。"
    return text


def recovery_en(one: Recovery, plan: PlanShown | None) -> str:
    """A recovery in English."""
    why = OVERPAID.get(one.reason, _OTHER)[1]
    months = str(one.first_month) if one.first_month == one.last_month else f"{one.first_month} to {one.last_month}"
    text = f"{one.amount} yuan too much was paid for {months}: {why}."
    if one.cancelled.fen:
        text += f" Of this {one.cancelled} need not come back."
    if one.recovered.fen:
        text += f" {one.recovered} came back."
    if one.written_off.fen:
        text += f" {one.written_off} was written off."
    if not one.balance.fen:
        return text + " Nothing is owed any more."
    text += f" {one.balance} is still owed, without interest."
    if plan is not None:
        way = "paid back" if plan.method is Method.INSTALMENT else "deducted from later months"
        text += f" Agreed: {plan.monthly} a month {way} from {plan.first_month} on."
    return text


def request_zh(kind: RequestKind, plain: Mapping[str, Any]) -> str:
    """What was asked for, in Chinese."""
    match kind:
        case RequestKind.SUSPEND:
            return f"自 {plain['from_month']} 起暂停发放（{REASONS[SuspendReason(plain['reason'])][0]}）"
        case RequestKind.RESUME:
            return f"自 {plain['from_month']} 起恢复发放" if plain["from_month"] else "恢复发放并补发暂停期间待遇"
        case RequestKind.PAYEE:
            return "变更收款账户"
        case RequestKind.PLAN:
            way = "分期退回" if plain["method"] == Method.INSTALMENT else "从待遇中抵扣"
            return f"自 {plain['first_month']} 起每月{way} {plain['monthly']} 元"
        case RequestKind.WRITE_OFF:
            return f"核销 {plain['amount']} 元"
        case RequestKind.END:
            what = "撤销核定" if plain["reason"] == EndReason.REVOKED else "终止待遇"
            return f"{what}，发放至 {plain['last_month']}（{ENDS[EndReason(plain['reason'])][0]}）"


def request_en(kind: RequestKind, plain: Mapping[str, Any]) -> str:
    """What was asked for, in English."""
    match kind:
        case RequestKind.SUSPEND:
            return f"hold back from {plain['from_month']} on: {REASONS[SuspendReason(plain['reason'])][1]}"
        case RequestKind.RESUME:
            return f"pay again from {plain['from_month']} on" if plain["from_month"] else "pay again, held months too"
        case RequestKind.PAYEE:
            return "pay into another account"
        case RequestKind.PLAN:
            way = "paid back" if plain["method"] == Method.INSTALMENT else "deducted"
            return f"{plain['monthly']} a month {way} from {plain['first_month']} on"
        case RequestKind.WRITE_OFF:
            return f"write {plain['amount']} off"
        case RequestKind.END:
            what = "revoke the determination" if plain["reason"] == EndReason.REVOKED else "end the benefit"
            return f"{what}, paid up to {plain['last_month']}: {ENDS[EndReason(plain['reason'])][1]}"
