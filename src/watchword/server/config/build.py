"""From settings that are each right, and right together, to the configuration."""

from collections.abc import Mapping
from typing import Any, Final

from watchword.server.config.model import (
    BackupConfig,
    BansConfig,
    Config,
    LimitsConfig,
    LogConfig,
    MetricsConfig,
    PagesConfig,
    PasswordsConfig,
    PrivacyConfig,
    ProxiesConfig,
    SocketConfig,
    TLSConfig,
    TracesConfig,
)
from watchword.server.config.setting import Setting
from watchword.server.limits.model import LIMIT_CLASSES

ROOT_KEY_FILE: Final = "root.key"


def build(settings: Mapping[str, Setting]) -> Config:
    value = {key: setting.value for key, setting in settings.items()}
    return Config(
        data=value["data"],
        listen=value["listen"],
        socket=SocketConfig(mode=value["socket.mode"], group=value["socket.group"]),
        tls=build_tls(settings),
        proxies=ProxiesConfig(
            places=value["proxies"], header=value["proxy_header"], protocol=value["proxy_protocol"]
        ),
        origin=value["origin"],
        hosts=value["hosts"],
        database=value["database"],
        redis=value["redis"],
        root_key_file=value["root_key_file"] or value["data"] / ROOT_KEY_FILE,
        registration=value["registration"],
        passwords=PasswordsConfig(server_hash=value["passwords.server_hash"]),
        pages=PagesConfig(password_form=value["pages.password_form"], styleguide=value["pages.styleguide"]),
        log=LogConfig(level=value["log.level"], format=value["log.format"], requests=value["log.requests"]),
        limits=_build_limits(value),
        bans=_build_bans(value),
        privacy=PrivacyConfig(addresses=value["privacy.addresses"], days=value["privacy.addresses_days"]),
        backup=BackupConfig(recipient=value["backup.recipient"]),
        metrics=MetricsConfig(listen=value["metrics.listen"]),
        traces=TracesConfig(endpoint=value["traces.endpoint"], ratio=value["traces.ratio"]),
        processes=value["processes"],
        shutdown_grace_s=value["shutdown_grace_s"],
    )


def _build_limits(value: Mapping[str, Any]) -> LimitsConfig:
    return LimitsConfig(
        costly_at_once=value["limits.costly_at_once"],
        costly_waiting=value["limits.costly_waiting"],
        enabled=value["limits.enabled"],
        rates={name: value[f"limits.{name}"] for name in LIMIT_CLASSES},
        concurrent=value["limits.concurrent"],
        guessing=value["limits.guessing"],
        without_redis=value["limits.without_redis"],
    )


def _build_bans(value: Mapping[str, Any]) -> BansConfig:
    return BansConfig(
        policy=value["bans.policy"],
        failures=value["bans.failures"],
        names=value["bans.names"],
        window_s=value["bans.window_s"],
        first_s=value["bans.first_s"],
        longest_s=value["bans.longest_s"],
        forged_s=value["bans.forged_s"],
        allow=value["bans.allow"],
    )


def build_tls(settings: Mapping[str, Setting]) -> TLSConfig:
    return TLSConfig(
        mode=settings["tls.mode"].value,
        certificate=settings["tls.certificate"].value,
        key=settings["tls.key"].value,
        key_password_file=settings["tls.key_password_file"].value,
    )
