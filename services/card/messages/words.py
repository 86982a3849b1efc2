"""What holders are told in a message: in Chinese and English, without a name, an identity number or a card number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

_SIGN = "【社保卡】"
_CAUSES = {
    "HOLDER": ("本人", "by you"),
    "HOTLINE": ("12333 热线", "by hotline 12333"),
    "COUNTER": ("窗口", "at the counter"),
    "SECOND": ("窗口", "at the counter"),
    "PHYSICAL": ("实体卡动态", "following the physical card"),
    "RISK": ("风险管理", "for a risk"),
    "SYSTEM": ("系统", "by the system"),
}
_WORDS = {
    "FAIL_PROOF": ("申领未通过", "your request was not accepted"),
    "DECLINE": ("申领未通过", "your request was not accepted"),
    "ACTIVATE": ("已激活", "it was activated"),
    "LOCK": ("已锁定", "it was locked"),
    "RESET_PIN": ("密码已重置", "its PIN was changed"),
    "UNLOCK": ("已解除锁定", "its lock was lifted"),
    "SUSPEND": ("已临时挂失", "its loss was reported"),
    "RESUME": ("已解挂", "its loss was lifted"),
    "LAPSE": ("临时挂失已到期", "its reported loss lapsed"),
    "SUSPEND_FORMALLY": ("已正式挂失", "its formal loss was reported"),
    "REPLACE": ("已补换", "it was replaced"),
    "CANCEL": ("已注销", "it was cancelled"),
    "DIE": ("已注销", "it was cancelled"),
    "EXPIRE": ("已到期", "it expired"),
    "DEATH_TAKEN_BACK": ("因误登记死亡而注销，可以重新申领", "it was cancelled by mistake; you can ask for another"),
    "PHONE_SET": ("联系电话已变更", "your telephone number was changed"),
    "PHONE_REMOVED": ("联系电话已删除", "your telephone number was removed"),
}


def notice(word: str, actor: str, day: date) -> str:
    """What happened to the card, who made it happen, and what to do when that was nobody who should."""
    zh, en = _WORDS[word]
    by_zh, by_en = _CAUSES[actor]
    return (
        f"{_SIGN}您的电子社保卡{day:%Y年%m月%d日}{zh}（{by_zh}）。非本人办理的，请拨打 12333 或到窗口。\n"
        f"Your electronic social security card: {en} ({by_en}) on {day.isoformat()}. Not you? Call 12333."
    )


def code(digits: str, seconds: int) -> str:
    """A code that is sent back."""
    minutes = max(1, seconds // 60)
    return (
        f"{_SIGN}验证码 {digits}，{minutes} 分钟内有效，请勿告诉他人。\n"
        f"Code {digits}, good for {minutes} minutes. Tell nobody but the clerk in front of you."
    )
