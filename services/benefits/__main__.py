"""Run the benefits service: `python -m services.benefits`."""

from chassis.config import Settings, load
from chassis.service import run
from services.benefits.service import build

if __name__ == "__main__":
    run(build, load(Settings, service="benefits"))
