"""Every face of the middleware decides alike, and says so in the same words, byte for byte."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.kits.faces import FACES, Seen, face
from tests.kits.tokens import AUDIENCE, KEY, KeyServer, key_set, settings, token

from watchword.core.encoding import decode_json
from watchword.crypto.signing import TokenSigningKey
from watchword.middleware import Requirement, require
from watchword.testing import FixedClock

REALM = f'Bearer realm="{AUDIENCE}"'
FRESH = FixedClock().now() // 1000
REQUIREMENTS: dict[str, tuple[Requirement, set[str]]] = {
    "nothing": (require(), {"plain", "high", "scoped", "old"}),
    "level": (require(level=2), {"high"}),
    "a scope": (require(scope="a"), {"scoped"}),
    "scopes": (require(scopes=["a", "b"], scope="c"), {"scoped"}),
    "level and scope": (require(level=2, scope="a"), set()),
    "max_age": (require(max_age=300), {"plain", "high", "scoped"}),
    "device": (require(device=True), {"plain", "high", "scoped", "old"}),
    "bound": (require(bearer_ok=False), set()),
}
"""What a route demands, and which of the good callers below it lets in."""


@pytest.fixture(scope="module")
def server() -> Iterator[KeyServer]:
    with KeyServer(key_set(KEY)) as running:
        yield running


@pytest.fixture(scope="module")
def callers(server: KeyServer) -> dict[str, list[str]]:
    def bearer(**changes: Any) -> list[str]:
        return [f"Bearer {token(**({'iss': server.origin, 'scope': ()} | changes))}"]

    return {
        "plain": bearer(),
        "high": bearer(level=2),
        "scoped": bearer(scope=("a", "b", "c", "d")),
        "old": bearer(auth_time=FRESH - 300),
        "nobody": [],
        "another scheme": ["Basic YTpi"],
        "twice": [*bearer(), *bearer()],
        "twice in one": [f"{bearer()[0]},Bearer x"],
        "no token": ["Bearer "],
        "garbage": ["Bearer a.b.c"],
        "for another app": bearer(aud="https://other.example"),
        "of another issuer": bearer(iss="https://other.example"),
        "of another key": bearer(key=TokenSigningKey.generate()),
        "ended": bearer(exp=FRESH - 60, iat=FRESH - 600, nbf=FRESH - 600),
        "bound": bearer(cnf={"jkt": "x" * 43}),
    }


@pytest.fixture(scope="module")
def expected(server: KeyServer, callers: dict[str, list[str]]) -> dict[tuple[str, str], Seen]:
    """What ASGI answers, the face whose every header `test_middleware` looks at."""
    found: dict[tuple[str, str], Seen] = {}
    for name, (requirement, _) in REQUIREMENTS.items():
        with face("asgi", requirement, **settings(server)) as ask:
            found |= {(name, caller): ask(sent) for caller, sent in callers.items()}
    return found


@pytest.mark.parametrize("name", FACES)
def test_each_face_gives_the_same_decision_and_the_same_words(name, server, callers, expected):
    for wanted, (requirement, let_in) in REQUIREMENTS.items():
        with face(name, requirement, **settings(server)) as ask:
            for caller, sent in callers.items():
                seen = ask(sent)
                assert seen == expected[wanted, caller], (wanted, caller)
                assert (seen.status == 200) is (caller in let_in), (wanted, caller)


def test_the_words_are_these(expected):
    assert expected["nothing", "plain"] == Seen(200, None, None, b"alice")
    challenges = {key: seen.challenge for key, seen in expected.items()}
    assert challenges["nothing", "nobody"] == challenges["nothing", "another scheme"] == REALM
    assert challenges["nothing", "garbage"] == f'{REALM}, error="invalid_token"'
    assert challenges["bound", "plain"] == f'{REALM}, error="invalid_token"'
    assert challenges["nothing", "twice"] == f'{REALM}, error="invalid_request"'
    assert challenges["level", "plain"] == f'{REALM}, error="insufficient_scope"'
    assert challenges["scopes", "plain"] == f'{REALM}, error="insufficient_scope", scope="a b c"'
    assert challenges["max_age", "old"] == f'{REALM}, error="insufficient_user_authentication", max_age="300"'
    refused = {key: decode_json(seen.body) for key, seen in expected.items() if seen.status != 200}
    assert {document["request_id"] for document in refused.values()} == {"r-1"}
    assert {refused["nothing", caller]["code"] for caller in ("nobody", "garbage", "bound")} == {
        "unauthenticated"
    }
    assert refused["max_age", "old"]["max_age"] == 300
    assert (refused["level", "plain"]["code"], refused["level", "plain"]["level"]) == ("forbidden", 2)


@pytest.mark.parametrize("name", FACES)
def test_keys_that_cannot_be_had_are_unavailable_on_each_face(name, callers):
    with KeyServer(key_set(KEY)) as silent:
        silent.status = 500
        with face(name, **settings(silent)) as ask:
            seen = ask(callers["plain"])
    assert (seen.status, seen.challenge, seen.retry_after) == (503, None, "1")
    assert decode_json(seen.body)["code"] == "unavailable"


@pytest.mark.parametrize("name", [name for name in FACES if "grpc" not in name])
def test_a_public_path_needs_nobody_and_a_route_there_that_does_is_401_on_each_face(name, server, callers):
    with face(name, **settings(server, public=["/open"])) as ask:
        assert ask([], "/").status == 401
        for caller in ("nobody", "plain", "garbage"):
            seen = ask(callers[caller], "/open")
            assert (seen.status, seen.challenge) == (401, f'{REALM}, error="invalid_token"')


@pytest.mark.parametrize(
    "name", ["asgi", "wsgi", "flask", "django", "grpc unary_unary", "grpc.aio unary_unary"]
)
def test_what_the_whole_application_demands_holds_on_each_face(name, server, callers):
    for more, let_in in (
        ({"least_level": 2}, {"high"}),
        ({"scopes": ["a"]}, {"scoped"}),
        ({"max_age": 300}, {"plain", "high", "scoped"}),
        ({"bearer_ok": False}, set[str]()),
    ):
        with face(name, **settings(server, **more)) as ask:
            statuses = {caller: ask(callers[caller]).status for caller in ("plain", "high", "scoped", "old")}
            assert {caller for caller, status in statuses.items() if status == 200} == let_in
