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
    traces_url: str = Field(
        "", description='Page that shows a trace, with "{trace_id}" where its number belongs; empty: none is offered.'
    )
    idp_issuer: str = Field("http://127.0.0.1:8081", description="Issuer whose tokens are believed.")
    devices_url: str = Field("", description="Where simulated pads and messages are looked at; in development alone.")
    idp_url: str = Field("", description="Where this process reaches the issuer; empty: at the issuer's own address.")

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
        if self.traces_url and not _is_template(self.traces_url):
            zh, en = "须为含 {trace_id} 的网址", "an address with {trace_id} in it"
            found.append(("HRSS_TRACES_URL", zh, en))
        is_local = (issuer.hostname or "") in _LOCAL or (issuer.hostname or "").endswith(".localhost")
        if self.is_prod and (issuer.scheme != "https" or is_local):
            zh, en = "生产环境的身份认证地址须为 https 且不是本机", "in production an https issuer that is not local"
            found.append(("HRSS_IDP_ISSUER", zh, en))
        if self.is_prod and self.idp_url and urlsplit(self.idp_url).scheme != "https":
            zh, en = "生产环境的身份认证内部地址须为 https", "in production the provider is reached by https only"
            found.append(("HRSS_IDP_URL", zh, en))
        hosts = {variable(f"{name}_address"): at.rpartition(":")[0] for name, at in self.addresses.items()}
        return found + self.plaintext_problems(hosts)


def _is_template(address: str) -> bool:
    """Whether an address opens a page and has one place for the number of a trace."""
    return address.startswith(("https://", "http://")) and address.count("{trace_id}") == 1 and address.count("{") == 1
