"""Settings of the gateway, beside those of every service."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field

from chassis.config import Settings, variable

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - refused as an issuer, not listened on


class GatewaySettings(Settings):
    """What the gateway needs to know about its surroundings."""

    http_host: str = Field("127.0.0.1", description="Address that the HTTP server listens on.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port of the HTTP server; 0 takes a free one.")
    enrollment_address: str = Field("127.0.0.1:41001", description="Address of the service enrollment.")
    benefits_address: str = Field("127.0.0.1:41002", description="Address of the service benefits.")
    training_address: str = Field("127.0.0.1:41003", description="Address of the service training.")
    card_address: str = Field("127.0.0.1:41004", description="Address of the service card.")
    idp_issuer: str = Field("http://127.0.0.1:8081", description="Issuer whose tokens are believed.")

    @property
    def addresses(self) -> dict[str, str]:
        """Where each service is."""
        return {
            "enrollment": self.enrollment_address,
            "benefits": self.benefits_address,
            "training": self.training_address,
            "card": self.card_address,
        }

    def problems(self) -> list[tuple[str, str, str]]:
        """Refuse an issuer that anybody could stand in for."""
        found = super().problems()
        issuer = urlsplit(self.idp_issuer)
        is_local = (issuer.hostname or "") in _LOCAL or (issuer.hostname or "").endswith(".localhost")
        if self.is_prod and (issuer.scheme != "https" or is_local):
            zh, en = "生产环境的身份认证地址须为 https 且不是本机", "in production an https issuer that is not local"
            found.append(("HRSS_IDP_ISSUER", zh, en))
        hosts = {variable(f"{name}_address"): at.rpartition(":")[0] for name, at in self.addresses.items()}
        return found + self.plaintext_problems(hosts)
