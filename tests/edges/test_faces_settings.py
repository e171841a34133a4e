"""A mistake in the settings of any face is told at start, in a sentence that names the option."""

import subprocess
import sys
from typing import Any

import flask
import grpc
import pytest
from tests.kits.faces import django_settings
from tests.kits.tokens import AUDIENCE

from watchword.errors import InvalidConfigError
from watchword.middleware import Guard, WatchwordMiddleware, require
from watchword.middleware.flask import Watchword
from watchword.middleware.grpc import WatchwordAioInterceptor, WatchwordInterceptor
from watchword.middleware.settings import settings_of
from watchword.middleware.wsgi import WatchwordMiddleware as WsgiMiddleware


def in_django(**settings: Any) -> object:
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415  # slow to load

    with django_settings({}, settings):
        return WSGIHandler()


FACES: dict[str, Any] = {
    "asgi": lambda **given: WatchwordMiddleware(None, **given),  # type: ignore[arg-type]  # never called
    "wsgi": lambda **given: WsgiMiddleware(None, **given),  # type: ignore[arg-type]  # as above
    "flask": lambda **given: Watchword(flask.Flask("notes"), **given),
    "django": in_django,
    "grpc": WatchwordInterceptor,
    "grpc.aio": WatchwordAioInterceptor,
}
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no issuer": ({"issuer": ...}, "issuer: missing"),
    "no audience": ({"audience": ...}, "audience: missing"),
    "http": ({"issuer": "http://id.example"}, "issuer: http is for this machine alone: use https"),
    "a path": ({"issuer": "https://id.example/"}, "issuer: write https://id.example$"),
    "no origin": ({"audience": "notes"}, "audience: not a URL"),
    "an audience with a path": ({"audience": f"{AUDIENCE}/api"}, f"audience: write {AUDIENCE}$"),
    "an unknown option": ({"audiance": AUDIENCE}, "audiance: no such option; there are issuer, audience"),
    "text for a truth": ({"bearer_ok": "False"}, "bearer_ok: must be True or False"),
    "text for a number": ({"least_level": "2"}, "least_level: must be a whole number"),
    "too high": ({"least_level": 10}, "level is a whole number from 0 to 9"),
    "no scope": ({"scopes": ['a"b']}, "a scope has no spaces, quotes"),
    "no age": ({"max_age": 0}, "max_age is a whole number of seconds, at least 1"),
    "no path": ({"public": ["health"]}, "public: plain paths from the root"),
    "no file": ({"ca_file": "/nonexistent.pem"}, "ca_file /nonexistent.pem cannot be read"),
    "no pin": ({"pin": "x"}, "pin: 43 characters"),
    "an option twice": ({"ISSUER": "https://id.example"}, "an option stands twice"),
    "None": ({"issuer": None}, "issuer: must be the server's origin"),
}


@pytest.mark.parametrize("name", FACES)
def test_each_mistake_is_told_in_a_sentence(name):
    for mistake, (changed, sentence) in MISTAKES.items():
        given = {"issuer": "https://id.example", "audience": AUDIENCE, "bearer_ok": True} | changed
        given = {option: value for option, value in given.items() if value is not ...}
        with pytest.raises(InvalidConfigError, match=sentence):
            FACES[name](**given)
        assert mistake


def test_settings_that_are_none_at_all_are_told_too():
    with pytest.raises(InvalidConfigError, match="issuer: missing"), django_settings({}, {}):
        in_django()
    with pytest.raises(InvalidConfigError, match="a dict with issuer"):
        settings_of("https://id.example")  # type: ignore[arg-type]  # what a person might write
    with pytest.raises(InvalidConfigError, match="issuer: missing"):
        Watchword(flask.Flask("notes"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"level": -1}, {"level": True}, {"level": 10}, {"scope": "a  b"}, {"scopes": ["é"]}, {"max_age": 0},
        {"max_age": 1.5},
    ],
)  # fmt: skip
def test_a_requirement_that_cannot_be_is_told_at_start(wrong):
    with pytest.raises(InvalidConfigError):
        require(**wrong)


def test_flask_takes_its_settings_from_its_configuration_and_is_guarded_once():
    app = flask.Flask("notes")
    app.config["WATCHWORD"] = {"ISSUER": "https://id.example", "AUDIENCE": AUDIENCE}
    extension = Watchword()
    extension.init_app(app)
    assert app.test_client().get("/").status_code == 401
    with pytest.raises(InvalidConfigError, match="already"):
        extension.init_app(app)


def test_a_guard_serves_a_face_of_ones_own():
    guard = Guard(issuer="https://id.example", audience=AUDIENCE, public=["/open"])
    assert guard.admit_blocking("/open", []).identity is None


@pytest.mark.parametrize("module", ["flask", "django", "grpc", "wsgi"])
def test_a_face_loads_its_own_framework_and_no_other(module):
    code = f"import sys, watchword.middleware.{module}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240
    )
    loaded = set(done.stdout.split())
    assert loaded & {"flask", "django", "grpc", "starlette", "fastapi", "msgspec", "httpx"} == {module} - {
        "wsgi"
    }
    assert grpc.__name__ == "grpc"  # not shadowed by the face of that name
