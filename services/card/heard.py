"""Facts that enrollment announced, as values. Made in `messages`, written by `store.holders`; pure."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True)
class HeardPerson:
    """A person was registered; name and number are personal data and not printed."""

    person_id: UUID
    birth_date: date
    name: str
    id_no: str

    def __repr__(self) -> str:
        return f"HeardPerson({self.person_id})"
