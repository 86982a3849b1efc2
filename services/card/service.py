"""What the card service consists of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from chassis import clocks, transaction
from chassis.files import Files
from chassis.logs import get_logger
from chassis.policy import open_policy
from chassis.principal import Principal
from chassis.service import Service
from kernel.errors import DomainError
from services.card import providers, timetable
from services.card.batches_rpc import BatchesRpc
from services.card.codes_rpc import CodesRpc, KeysRpc
from services.card.counter_rpc import ContactsRpc, CounterRpc
from services.card.crypto import profile as profiles
from services.card.crypto import selftest
from services.card.crypto.algorithms import ES256, SM2
from services.card.events import CONSUMERS
from services.card.family_rpc import FamilyRpc
from services.card.issuers import NationalIssuer
from services.card.keyring import KeyRing, KeyState, Purpose, SigningKey
from services.card.operations import (
    batch_issuing,
    batch_preparing,
    daily,
    family_days,
    figures,
    keys,
    ordering,
    placing,
    publishing,
    texting,
)
from services.card.operations.office import Office
from services.card.operations.places import Places
from services.card.policy import CardPolicy
from services.card.rpc import CardRpc
from services.card.settings import CardSettings
from services.card.text_platform import HttpPlatform

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from chassis.config import Settings
    from chassis.database import Database

log = get_logger(__name__)

T = TypeVar("T")
PUBLISH_SECONDS = 15.0  # a change is in the lists within a minute, also when a turn or two fail


def build(settings: Settings) -> Service:
    """The declaration of what exists."""
    card = _card(settings)
    office = open_office(settings)

    async def register(database: Database) -> None:
        await _run(database, "start", lambda tx: keys.register(tx, office.keys))
        await _run(database, "start", placing.begin)

    files = Files(settings.files_dir, settings.keys_dir)
    orders: dict[str, Callable[[Database, asyncio.Event], Awaitable[None]]] = {}
    if office.is_national:
        issuer = NationalIssuer(card.card_national_url)
        orders["card-orders"] = lambda database, stop: ordering.work(database, office, issuer, stop)
    if card.card_messages_url:
        platform = HttpPlatform(card.card_messages_url)
        orders["holder-messages"] = lambda database, stop: texting.work(database, office, platform, stop)
    on_start = [register]
    if card.is_prod and card.card_key_provider == "file":
        on_start.append(note_soft_keys)
    return Service(
        settings=settings,
        servicers=[
            CardRpc(office),
            CodesRpc(office),
            KeysRpc(office),
            BatchesRpc(files, office),
            FamilyRpc(office),
            ContactsRpc(office),
            CounterRpc(office),
        ],
        consumers=CONSUMERS,
        jobs=[
            batch_preparing.job(files, office),
            batch_issuing.job(office),
            daily.job(office),
            family_days.job(office),
            placing.job(office),
        ],
        figures=figures.count,
        on_start=on_start,
        timetable=timetable.entries(office),
        background=orders | {"status-lists": lambda database, stop: publish(database, office, stop)},
    )


def open_office(given: Settings) -> Office:
    """The law and the keys that the settings name.

    Raises:
        SystemExit: With code 3: a known answer of the profile came out wrong.
    """
    settings = _card(given)
    profile = profiles.PROFILES[settings.card_crypto_profile]
    try:
        selftest.run(profile)
    except selftest.SelfTestFailed as failed:
        log.error("self_test_failed", profile=profile.name, check=str(failed))  # noqa: TRY400 - the check says it all
        raise SystemExit(selftest.EXIT_CODE) from None
    ring = KeyRing(_provider(settings), profile, providers.secrets_in(settings.keys_dir))
    return Office(
        policy=CardPolicy(open_policy(settings.policy_dir, settings.policy_local)),
        keys=ring,
        is_production=settings.is_prod,
        places=Places(ring),
        root=_root(settings, ring),
        signs_trust=not settings.card_trust_root and not settings.is_prod,
        is_national=settings.card_issuer == "national",
        status_uri=settings.card_status_uri,
    )


async def publish(database: Database, office: Office, stop: asyncio.Event) -> None:
    """Publish status lists and, in development, the trust list, until the process ends."""
    while not stop.is_set():
        try:
            await _run(database, "publish", lambda tx: keys.renew(tx, office))
            await _run(database, "publish", lambda tx: publishing.publish(tx, office))
        except DomainError as error:  # the database is away or somebody was faster; the next turn is soon
            log.warning("status_lists_not_published", reason=error.reason)
        try:
            await asyncio.wait_for(stop.wait(), PUBLISH_SECONDS)
        except TimeoutError:
            continue


async def note_soft_keys(database: Database) -> None:
    """Write down that production signs with keys in a file, which somebody allowed."""

    async def work(tx: transaction.Transaction) -> None:
        tx.audit("soft_keys_allowed")

    await _run(database, "start", work)


async def _run(database: Database, method: str, work: Callable[[transaction.Transaction], Awaitable[T]]) -> T:
    return await transaction.run(
        database, work, principal=Principal.system("card"), today=clocks.business_day(), method=method
    )


def _card(settings: Settings) -> CardSettings:
    """The settings of this service; what a caller without them does not say is as by default."""
    return settings if isinstance(settings, CardSettings) else CardSettings.model_construct(**dict(settings))


def _provider(settings: CardSettings) -> providers.Provider:
    if settings.card_key_provider == "pkcs11":
        from services.card.pkcs11 import Pkcs11Provider  # noqa: PLC0415 - only where there is a module

        return Pkcs11Provider(settings.card_pkcs11_module, settings.card_pkcs11_token, settings.card_pkcs11_pin)
    return providers.FileProvider(settings.keys_dir)


def _root(settings: CardSettings, ring: KeyRing) -> KeyRing | None:
    """The root of trust: its public key from the settings; in development a file has the private one too."""
    if settings.card_trust_root:
        name, _, point = settings.card_trust_root.partition(":")
        public = profiles.public({"ES256": ES256, "SM2": SM2}[name], bytes.fromhex(point))
        key = SigningKey(Purpose.TRUST_ROOT, profiles.thumb(public).hex(), public, KeyState.ACTIVE)
        return KeyRing(ring.provider, ring.profile, ring.secrets, [key])
    return None if settings.is_prod else development_root(settings.keys_dir, ring)


def development_root(keys_dir: Path, ring: KeyRing) -> KeyRing | None:
    """A root of trust that lies in a file beside the other keys, which a real one never does; None: there is none."""
    if not (keys_dir / providers.ROOT_FILE).exists():
        return None
    return KeyRing(providers.FileProvider(keys_dir, providers.ROOT_FILE), ring.profile, ring.secrets)
