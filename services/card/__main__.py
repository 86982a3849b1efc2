"""Run the card service: `python -m services.card`."""

from chassis.config import load
from chassis.service import run
from services.card.service import build
from services.card.settings import CardSettings

if __name__ == "__main__":
    run(build, load(CardSettings, service="card"))
