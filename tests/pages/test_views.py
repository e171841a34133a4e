"""What the account's page makes of sessions and events."""

import subprocess
import sys

import pytest
from tests.pages.kit import FIREFOX

from watchword.core.clock import DAY, Instant
from watchword.core.ids import AccountId, DeviceId, SessionId
from watchword.server.activity.model import Activity, ActivityKind
from watchword.server.addresses import KEYED
from watchword.server.pages.catalogue import texts_of
from watchword.server.pages.environment import render
from watchword.server.pages.moments import date_of, moment_of
from watchword.server.pages.views import EventView, SessionView
from watchword.server.sessions.model import Session

NOW = Instant(1_795_234_567_890)  # 2026-11-21
EN, DE = texts_of("en"), texts_of("de")
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.5 Mobile/15E148 Safari/604.1"
)


def session(number: int = 1, *, device_name: str = "", user_agent: str = FIREFOX, **more) -> Session:
    values = {
        "id": SessionId(bytes([number]) * 16),
        "account_id": AccountId(b"a" * 16),
        "device_id": DeviceId(b"d" * 16),
        "seed": b"",
        "sign_in_version": 1,
        "counter": 0,
        "auth_time": NOW,
        "created_at": NOW,
        "expires_at": Instant(NOW + 7 * DAY),
        "ends_at": Instant(NOW + 30 * DAY),
        "address": "192.0.2.1",
        "user_agent": user_agent,
        "device_name": device_name,
    }
    return Session(**{**values, **more})


def view(of: Session, texts=EN) -> SessionView:
    return SessionView.of(of, SessionId(b"\1" * 16), texts)


@pytest.mark.parametrize(
    ("device_name", "user_agent", "name", "browser", "icon"),
    [
        ("", FIREFOX, "Firefox 141 on Linux", "", "desk"),
        ("Firefox on Linux", FIREFOX, "Firefox 141 on Linux", "", "desk"),
        ("Safari on iOS", IPHONE, "Safari 18 on iOS", "", "phone"),
        ("Work laptop", FIREFOX, "Work laptop", "Firefox 141 on Linux", "desk"),
        ("build", "watchword/0.1.0", "build", "Watchword command line 0.1.0", "line"),
        ("", "", "", "", "desk"),
        ("<b>", "<script>", "<b>", "", "desk"),
    ],
)
def test_a_session_is_called_what_says_most(device_name, user_agent, name, browser, icon):
    shown = view(session(device_name=device_name, user_agent=user_agent))
    assert (shown.name, shown.browser, shown.icon) == (name, browser, icon)


def test_a_browser_is_named_in_the_readers_language():
    assert view(session(), DE).name == "Firefox 141 unter Linux"


def test_a_session_ends_at_the_earlier_of_its_ends():
    assert view(session(ends_at=Instant(NOW + DAY))).ends_at == NOW + DAY
    assert view(session()).ends_at == NOW + 7 * DAY


def test_the_session_in_use_is_marked():
    assert [view(session(number)).current for number in (1, 2)] == [True, False]


def event(kind: ActivityKind, **more) -> EventView:
    return EventView.of(Activity(kind=kind, at=NOW, **{"since": NOW, **more}), EN)


def test_refused_sign_ins_are_one_entry_that_says_how_many_and_what_to_do():
    shown = event(
        ActivityKind.SIGN_IN_REFUSED, count=37, addresses=3, address="192.0.2.1", since=Instant(NOW - DAY)
    )
    assert EN.plain(shown.said, count=shown.count) == "37 sign-ins were refused"
    assert [part.text for part in shown.parts] == ["from 3 addresses"]
    assert shown.since == NOW - DAY
    assert shown.hint
    assert shown.care


def test_a_new_level_is_told_where_it_is_known():
    assert EN.plain(event(ActivityKind.LEVEL_SET, level=3).said, level=3).endswith("to 3")
    assert EN.plain(event(ActivityKind.LEVEL_SET).said) == "The operator set your level"


@pytest.mark.parametrize("kind", list(ActivityKind))
@pytest.mark.parametrize("texts", [EN, DE])
def test_every_kind_of_event_has_its_sentence(kind, texts):
    for count in (1, 2):
        assert texts.plain(event(kind, count=count).said, count=count)


def test_what_was_erased_is_left_out():
    assert event(ActivityKind.SIGNED_IN).parts == ()


def test_times_are_said_in_utc_in_the_words_of_the_language():
    assert moment_of(EN, NOW) == "21 November 2026, 04:16 UTC"
    assert moment_of(DE, NOW) == "21. November 2026, 04:16 UTC"
    assert date_of(DE, Instant(0)) == "1. Januar 1970"


def test_an_instant_that_no_calendar_has_is_still_shown():
    assert moment_of(EN, Instant(2**90)) == f"@{2**90}"


def test_a_template_that_is_given_too_little_is_an_error():
    from jinja2 import UndefinedError  # noqa: PLC0415  # only where pages are made, as in the server

    with pytest.raises(UndefinedError):
        render("problem.html", EN, page="problem")


def test_a_server_that_starts_does_not_load_templates():
    code = "import sys, watchword.server.app; print('jinja2' in sys.modules, 'markupsafe' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("texts", "said"), [(EN, "an address that is not kept"), (DE, "eine Adresse, die nicht aufbewahrt wird")]
)
def test_an_address_that_is_kept_to_compare_alone_is_said_in_words(texts, said):
    kept = f"{KEYED}0123456789abcdef"
    shown = SessionView.of(session(address=kept), SessionId(bytes(16)), texts)
    event = EventView.of(Activity(kind=ActivityKind.SIGNED_IN, at=NOW, since=NOW, address=kept), texts)
    assert (shown.address, [part.text for part in event.parts]) == (said, [said])


def test_a_network_that_is_kept_is_shown_as_it_is():
    shown = SessionView.of(session(address="203.0.113.0/24"), SessionId(bytes(16)), EN)
    assert shown.address == "203.0.113.0/24"
