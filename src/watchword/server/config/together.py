"""Settings of the transport that are each right by themselves and make no sense together."""

import grp
from collections.abc import Iterator, Mapping

from watchword.server.config.model import ProxyProtocol, TLSMode, UnixListen
from watchword.server.config.problems import ConfigProblem
from watchword.server.config.setting import DEFAULT, Setting

Settings = Mapping[str, Setting]
_FILES = ("tls.certificate", "tls.key")


def check_transport(settings: Settings) -> Iterator[ConfigProblem]:
    """Whatever of it was read; a value that did not parse is told of elsewhere."""
    yield from _check_origin(settings)
    yield from _check_tls(settings)
    yield from _check_socket(settings)
    yield from _check_proxies(settings)
    yield from _check_metrics(settings)


def _check_origin(settings: Settings) -> Iterator[ConfigProblem]:
    listen, origin, mode = settings.get("listen"), settings.get("origin"), settings.get("tls.mode")
    if listen is None or origin is None or origin.value is not None:
        return
    if not listen.value.is_loopback:
        yield _missing("origin", f"{listen.value} (listen) is not loopback: how do callers name this server?")
    elif mode is not None and mode.value is not TLSMode.OWN:
        yield _missing("origin", f"tls.mode is “{mode.value}”: which name do callers use?")
    elif isinstance(listen.value, UnixListen):
        yield _missing("origin", "listen is a Unix socket: which name do callers of the proxy use?")


def _check_tls(settings: Settings) -> Iterator[ConfigProblem]:
    listen, mode = settings.get("listen"), settings.get("tls.mode")
    if mode is None:
        return
    if mode.value is TLSMode.OFF and listen is not None and not listen.value.is_loopback:
        detail = (
            f"is “off”, which only loopback and Unix sockets may have, and {listen.value} (listen) is neither"
        )
        yield ConfigProblem(key="tls.mode", place=mode.place, detail=detail)
    if mode.value is not TLSMode.OFF and listen is not None and isinstance(listen.value, UnixListen):
        detail = f"is “{mode.value}”, but a Unix socket (listen) speaks plain HTTP: write tls.mode = “off”"
        yield ConfigProblem(key="tls.mode", place=mode.place, detail=detail)
    for key in (*_FILES, "tls.key_password_file"):
        yield from _check_file(settings.get(key), mode.value)


def _check_file(setting: Setting | None, mode: TLSMode) -> Iterator[ConfigProblem]:
    if setting is None:
        return
    key = setting.field.key
    if mode is TLSMode.FILES and setting.value is None and key in _FILES:
        yield _missing(key, "tls.mode is “files”")
    if mode is not TLSMode.FILES and setting.value is not None:
        detail = f"means nothing while tls.mode is “{mode}”: write tls.mode = “files”, or remove it"
        yield ConfigProblem(key=key, place=setting.place, detail=detail)


def _check_socket(settings: Settings) -> Iterator[ConfigProblem]:
    listen = settings.get("listen")
    if listen is None:
        return
    if isinstance(listen.value, UnixListen):
        yield from _check_group(settings.get("socket.group"))
        return
    for key in ("socket.mode", "socket.group"):
        setting = settings.get(key)
        if setting is not None and setting.place != DEFAULT:
            detail = f"means nothing: {listen.value} (listen) is not a Unix socket"
            yield ConfigProblem(key=key, place=setting.place, detail=detail)


def _check_group(group: Setting | None) -> Iterator[ConfigProblem]:
    if group is None or group.value is None:
        return
    try:
        grp.getgrnam(group.value)
    except KeyError:
        detail = f"there is no group “{group.value}” on this machine"
        yield ConfigProblem(key=group.field.key, place=group.place, detail=detail)


def _check_metrics(settings: Settings) -> Iterator[ConfigProblem]:
    listen, metrics = settings.get("listen"), settings.get("metrics.listen")
    if listen is None or metrics is None or metrics.value is None or metrics.value != listen.value:
        return
    if metrics.value.port != 0:
        detail = f"{metrics.value} is taken by listen: choose another port"
        yield ConfigProblem(key=metrics.field.key, place=metrics.place, detail=detail)


def _check_proxies(settings: Settings) -> Iterator[ConfigProblem]:
    listen, proxies, header, protocol = (
        settings.get(key) for key in ("listen", "proxies", "proxy_header", "proxy_protocol")
    )
    if listen is None or proxies is None:
        return
    if "unix" in proxies.value and not isinstance(listen.value, UnixListen):
        detail = f"holds “unix”, but {listen.value} (listen) is not a Unix socket"
        yield ConfigProblem(key="proxies", place=proxies.place, detail=detail)
    if isinstance(listen.value, UnixListen) and any(place != "unix" for place in proxies.value):
        detail = "holds addresses, but the peers of a Unix socket (listen) have none: write “unix”"
        yield ConfigProblem(key="proxies", place=proxies.place, detail=detail)
    if header is not None and header.place != DEFAULT and not proxies.value:
        detail = "is believed from nobody, since proxies is empty"
        yield ConfigProblem(key="proxy_header", place=header.place, detail=detail)
    if protocol is None or protocol.value is ProxyProtocol.HEADERS:
        return
    if not proxies.value:
        detail = f"is “{protocol.value}”, and proxies is empty: name those who may speak it"
        yield ConfigProblem(key="proxy_protocol", place=protocol.place, detail=detail)
    elif header is not None and header.place != DEFAULT:
        detail = f"means nothing while proxy_protocol is “{protocol.value}”"
        yield ConfigProblem(key="proxy_header", place=header.place, detail=detail)


def _missing(key: str, why: str) -> ConfigProblem:
    return ConfigProblem(key=key, place="", detail=f"must be given, since {why}")
