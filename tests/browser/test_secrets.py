"""What leaves the page and what stays in the browser: never the password, never a key that could be carried away."""

import base64
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import pytest
from tests.kits.entering import enter
from tests.kits.journeys import change_password, register, sign_in
from tests.kits.stage import Visit
from tests.kits.visitor import Visitor

from watchword.core.encoding import encode_b64u
from watchword.crypto.keyring import DataKeyPurpose
from watchword.server.assembly import Services
from watchword.server.devices.client_keys import ClientKeys
from watchword.testing.server import PASSWORD, RunningServer, TestAccount

NEW = "amber teapot climbs ladders"
_DUMP: Final = """async () => {
    const seen = [];
    const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const walk = (path, value) => {
        if (value instanceof CryptoKey) {
            seen.push({path, kind: "key", type: value.type, extractable: value.extractable,
                algorithm: value.algorithm.name, text: ""});
        } else if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
            seen.push({path, kind: "bytes", text: hex(new Uint8Array(value.buffer ?? value))});
        } else if (value !== null && typeof value === "object") {
            for (const [name, inner] of Object.entries(value)) walk(path + "." + name, inner);
        } else {
            seen.push({path, kind: typeof value, text: String(value)});
        }
    };
    for (const {name} of await indexedDB.databases()) {
        const database = await new Promise((done, failed) => {
            const asked = indexedDB.open(name);
            asked.onsuccess = () => done(asked.result);
            asked.onerror = () => failed(asked.error);
        });
        for (const store of database.objectStoreNames) {
            const rows = await new Promise((done, failed) => {
                const asked = database.transaction(store).objectStore(store).getAll();
                asked.onsuccess = () => done(asked.result);
                asked.onerror = () => failed(asked.error);
            });
            rows.forEach((row) => walk(store, row));
        }
        database.close();
    }
    for (const storage of [localStorage, sessionStorage]) {
        for (const [name, value] of Object.entries(storage)) walk("storage." + name, value);
    }
    return seen;
}"""


def spellings(secret: bytes) -> list[bytes]:
    """As it may stand in a body, an address or a record."""
    plain = base64.b64encode(secret)
    return [
        secret,
        plain.rstrip(b"="),
        base64.urlsafe_b64encode(secret).rstrip(b"="),
        secret.hex().encode(),
        quote(secret).encode(),
        quote(secret, safe="").replace("%20", "+").encode(),
        json.dumps(secret.decode("latin-1")).encode()[1:-1],
    ]


def client_keys(server: RunningServer, name: str) -> list[bytes]:
    """The client keys that the devices of an account were given, as the server computes them."""

    async def compute(services: Services) -> list[bytes]:
        account = await services._accounts.find_by_name(name)
        assert account is not None
        keys = ClientKeys(lambda version: services._core.keys.data.get(DataKeyPurpose.GENERATION, version))
        found = []
        for session in await services._sessions.list_live(account.id, now=server.clock.now(), limit=9):
            device = await services._devices.find(session.device_id)
            assert device is not None
            found.append(
                keys.client_key(
                    device.id, generation_version=device.generation_version, seed=account.client_key_seed
                ).reveal()
            )
        return found

    return server.run(compute)


def leaks(values: list[dict[str, Any]], secrets: list[bytes]) -> list[str]:
    """Places where one of the secrets stands."""
    every = [spelling.decode("latin-1") for secret in secrets for spelling in spellings(secret)]
    return [value["path"] for value in values if any(each in value["text"] for each in every)]


def kept(visitor: Visitor) -> list[dict[str, Any]]:
    """Everything that the browser keeps for this origin, each value with its place."""
    found: list[dict[str, Any]] = visitor.page.evaluate(_DUMP)
    return found


def test_the_password_is_in_no_request(visit: Visit, new_name: Callable[[], str]) -> None:
    visitor, name = visit(), new_name()
    register(visitor, name)
    change_password(visitor, PASSWORD, NEW)
    visitor.arrives("/dashboard")
    visitor.press("Sign out")
    sign_in(visitor, name, NEW)
    bodies = [sent for sent in visitor.sent if sent.body]
    assert {sent.url.removeprefix(visitor.origin) for sent in bodies} >= {"/api/register", "/api/login"}
    sealed_for = b'"envelope"'
    assert any(sealed_for in sent.body for sent in bodies), "bodies of the worker are seen"
    for sent in visitor.sent:
        for secret in (PASSWORD, NEW):
            for spelling in spellings(secret.encode()):
                assert spelling not in sent.body
                assert spelling not in sent.url.encode()


@pytest.mark.parametrize("how", ["registered", "enrolled"])
def test_keys_cannot_be_carried_away_and_no_secret_lies_open(
    visit: Visit, server: RunningServer, new_name: Callable[[], str], how: str
) -> None:
    visitor, name = visit(), new_name()
    if how == "registered":
        recovery = register(visitor, name)
    else:
        server.register(name)
        recovery = ""
        sign_in(visitor, name)
    values = kept(visitor)
    keys = [value for value in values if value["kind"] == "key"]
    assert sorted(key["algorithm"] for key in keys if key["type"] == "private") == ["Ed25519", "Ed25519"]
    assert [key["algorithm"] for key in keys if key["type"] == "secret"] == ["AES-GCM"]
    assert [key["path"] for key in keys if key["extractable"] and key["type"] != "public"] == []
    given = client_keys(server, name)
    assert given
    assert leaks(values, [PASSWORD.encode(), *given, *([recovery.encode()] if recovery else [])]) == []


def test_a_secret_that_lay_open_would_be_found(
    visit: Visit, account: TestAccount, server: RunningServer
) -> None:
    visitor = visit()
    enter(visitor, account)
    given = client_keys(server, account.username)
    visitor.page.evaluate("text => localStorage.setItem('planted', text)", encode_b64u(given[-1]))
    visitor.page.evaluate("text => sessionStorage.setItem('planted too', text)", f"so {PASSWORD}")
    found = leaks(kept(visitor), [PASSWORD.encode(), *given])
    assert sorted(found) == ["storage.planted", "storage.planted too"]


def test_the_cookie_is_for_pages_of_this_origin_alone(visit: Visit, account: TestAccount) -> None:
    visitor = visit()
    sign_in(visitor, account.username)
    cookie = visitor.cookie
    assert cookie is not None
    assert cookie["secure"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert cookie["path"] == "/"
    assert cookie["domain"] == "localhost"
    assert visitor.page.evaluate("document.cookie") == ""
    assert visitor.page.evaluate("fetch('/api/session').then((answer) => answer.status)") == 401
    visitor.allow_status(401)
