"""The command of the gateway: read settings, run."""

from chassis.config import load
from services.gateway.service import run
from services.gateway.settings import GatewaySettings

run(load(GatewaySettings, service="gateway"))
