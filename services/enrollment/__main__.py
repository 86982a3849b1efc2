"""Runs the enrolment service: `python -m services.enrollment`."""

from chassis.config import Settings, load
from chassis.service import run
from services.enrollment.service import build

if __name__ == "__main__":
    run(build, load(Settings, service="enrollment"))
