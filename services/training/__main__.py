"""Run the training service: `python -m services.training`."""

from chassis.config import Settings, load
from chassis.service import run
from services.training.service import build

if __name__ == "__main__":
    run(build, load(Settings, service="training"))
