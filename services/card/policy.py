"""The file of law that the card service reads, as the domain wants it."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

from chassis.policy import PolicyStore
from services.card.domain.family import Relation
from services.card.domain.risks import Rule, Sign
from services.card.domain.usability import obstacle
from services.card.domain.verification import Purpose, Shown

ECARD = "ecard.yaml"


class CardPolicy:
    """Typed law of electronic cards; everything in it answers by day."""

    def __init__(self, store: PolicyStore) -> None:
        self.version = store.version
        self.pin_length = store.integer(ECARD, "password.length")
        self.lock_after = store.integer(ECARD, "password.lock_after_failures")
        self.valid_seconds = store.integer(ECARD, "code.valid_seconds")
        self.refresh_seconds = store.integer(ECARD, "code.refresh_seconds")
        self.leeway_seconds = store.integer(ECARD, "code.clock_leeway_seconds")
        self.valid_years = store.integer(ECARD, "card.valid_years")
        self.cool_down_hours = store.integer(ECARD, "levels.cool_down_hours")
        self.hotline_reports = store.integer(ECARD, "loss.hotline_reports")
        self.hotline_days = store.integer(ECARD, "loss.hotline_days")
        self.temp_loss_days = store.integer(ECARD, "loss.temporary_days")
        self.level_two = store.table(ECARD, "levels.second", frozenset)
        self.consent_age = store.integer(ECARD, "family.consent_age")
        self.family_limits = {
            Relation.ELDER: store.integer(ECARD, "family.elders"),
            Relation.CHILD: store.integer(ECARD, "family.children"),
            Relation.SPOUSE: store.integer(ECARD, "family.spouse"),
            Relation.OTHER: store.integer(ECARD, "family.other"),
        }
        self.family_members = store.integer(ECARD, "family.members")
        self.invitation_days = store.integer(ECARD, "family.invitation_days")
        self.code_seconds = store.integer(ECARD, "contact.code_seconds")
        self.code_tries = store.integer(ECARD, "contact.code_tries")
        self.codes_per_day = store.integer(ECARD, "contact.codes_per_day")
        self.contact_cool_down_hours = store.integer(ECARD, "contact.cool_down_hours")
        self.message_hours = store.integer(ECARD, "contact.message_hours")
        self.pin_pad_seconds = store.integer(ECARD, "counter.pin_pad_seconds")
        self.risks = store.table(ECARD, "risk.rules", _risks)
        self.purposes = store.table(ECARD, "verification.purposes", _purposes)

    def obstacle(self, physical: str, level: int, operation: str, day: date) -> str:
        """The first reason against a use of a card, empty when there is none; see `domain.usability`."""
        return obstacle(physical, level, operation, self.level_two.on(day).value)


def _purposes(value: tuple[Mapping[str, Any], ...]) -> Mapping[str, Purpose]:
    return MappingProxyType(
        {
            row["purpose"]: Purpose(row["purpose"], row["scope"], row["level"], frozenset(map(Shown, row["shown"])))
            for row in value
        }
    )


def _risks(value: tuple[Mapping[str, Any], ...]) -> Mapping[Sign, Rule]:
    return MappingProxyType({Sign(row["sign"]): Rule(Sign(row["sign"]), row["count"], row["hours"]) for row in value})
