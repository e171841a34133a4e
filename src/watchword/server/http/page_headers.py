"""The headers that hold a page to what we made, beside `wire.DEFAULT_HEADERS`, which every answer has."""

from collections.abc import Mapping
from typing import Final

_PAGE_POLICY: Final = (
    "default-src 'none';"
    " script-src 'self';"
    " style-src 'self';"
    " connect-src 'self';"
    " img-src 'self';"
    " worker-src 'self';"
    " form-action 'self';"
    " base-uri 'none';"
    " frame-ancestors 'none';"
    " require-trusted-types-for 'script';"
    " trusted-types watchword"
)
_WORKER_POLICY: Final = (
    "default-src 'none';"
    " script-src 'self' 'wasm-unsafe-eval';"
    " connect-src 'self';"
    " frame-ancestors 'none';"
    " require-trusted-types-for 'script';"
    " trusted-types 'none'"
)
_OFF: Final = (
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
"""Powers of a browser that no page of ours asks for, by names that it knows: of others it warns in its console.

`clipboard-write` is not here: a recovery key is copied.
"""
_REFERRER: Final = "same-origin"
"""Under `no-referrer` a browser sends `Origin: null` with a form, which could not be told from a stranger's."""

DOCUMENT_HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": _PAGE_POLICY,
    "permissions-policy": ", ".join(f"{name}=()" for name in _OFF),
    "referrer-policy": _REFERRER,
}
"""On every answer of a page, redirects too."""
PAGE_HEADERS: Final[Mapping[str, str]] = {"content-type": "text/html; charset=utf-8", **DOCUMENT_HEADERS}
"""On every page."""
WORKER_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": _WORKER_POLICY,
    "referrer-policy": _REFERRER,
}
"""On the worker's script, which is held to the policy that it came with: here alone may WebAssembly be compiled."""
