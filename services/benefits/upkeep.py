"""What is done for running benefits day by day, as values. Pure."""

from enum import StrEnum


class Task(StrEnum):
    """A daily job; its value is the name of the job's kind."""

    RESIDENT_AMOUNTS = "resident_amounts"  # 居民养老金调整
    ALLOWANCES_TO_PENSIONS = "allowances_to_pensions"  # 病残津贴转养老金
    REMINDERS = "certification_reminders"  # 认证提醒


SENT_AT_ONCE = 200  # reminders that one call says were sent
