"""The flows of the pages, run by Node against a real server: what they do is what the server saw."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from tests.kits.browser_modules import bundled
from tests.kits.process import RunningServer, clean_environment
from tests.kits.shared import one_at_a_time, shared_folder

from watchword.core.secret import Secret
from watchword.protocol.device_header import DeviceHeader
from watchword.testing import components

PASSWORD: Final = "violet kangaroo plays chess"
NEXT: Final = "Grüner Ameisenbär singt laut"
_LIMIT_SECONDS: Final = 110
REFUSED: Final = {"code": "refused", "requestId": True}
INTERNAL: Final = {"code": "internal", "requestId": False}


BUNDLING: Final = (
    "--platform=node",
    "--format=esm",
    "--loader:.bin=file",
    "--asset-names=[name]-[hash]",
    "--public-path=/assets/",
)
"""The flows find data files where the server serves them."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script found, and under `log` what the server's log says of it. One process of a run asks for all."""
    folder = shared_folder(tmp_path_factory)
    kept = folder / "told-by-flows.json"
    with one_at_a_time(folder / "told-by-flows.lock"):
        if not kept.exists():
            kept.write_text(json.dumps(run_flows(tmp_path_factory.mktemp("flows"))))
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


def run_flows(folder: Path) -> dict[str, Any]:
    script = bundled("flows.ts", folder, *BUNDLING)
    with RunningServer.start(folder / "data", settings={"registration": "open"}) as server:
        asked = {"origin": server.origin, "password": PASSWORD, "next": NEXT}
        done = subprocess.run(
            [str(components.require("node")), str(script)],
            env=clean_environment({"NODE_EXTRA_CA_CERTS": str(server.ca)}),
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return {**found, "origin": server.origin, "log": server.log_text()}


def test_req_P7_a_browser_registers_and_is_a_device_whose_keys_cannot_be_carried_away(told):
    registered = told["registered"]
    assert (registered["username"], registered["signedIn"]) == ("ada", True)
    assert len(registered["recoveryKey"]) == 39
    assert told["kept"] == {"byAddress": True, "extractable": [False, False, False], "pinned": 32}


def test_a_known_browser_logs_in_as_the_device_that_it_is(told):
    assert told["known"] == {"username": "ada"}
    assert told["sameDevice"] is True


def test_a_known_browser_proves_itself_in_a_header_of_each_request(told):
    """With the key that the server gave it; what the server makes of that is in tests/pairs/test_device_header.py."""
    proofs, issuer = told["proofs"], told["origin"]
    sent = {path: header for path, header in proofs["sent"] if header is not None}
    methods = {"/.well-known/watchword-keys": "GET", "/api/login/begin": "POST", "/api/login": "POST"}
    assert list(sent) == list(methods)
    headers = {path: DeviceHeader.parse(text) for path, text in sent.items()}
    for path, header in headers.items():
        assert (str(header.device), header.seed_version) == (proofs["device"], proofs["seedVersion"])
        header.verify(Secret(bytes.fromhex(proofs["clientKey"])), methods[path], path.encode(), issuer)
    assert len({header.nonce for header in headers.values()}) == 3


def test_progress_only_ever_grows_and_ends_whole(told):
    steps = told["progress"]
    assert [step for step, _, _ in steps] == ["keys", "begin", "stretch", "send"]
    ends = [until for _, _, until in steps]
    assert ends == sorted(ends)
    assert [part for _, part, _ in steps] == [0, *ends[:-1]]
    assert ends[-1] == 1


def test_failures_are_alike_and_carry_the_id_of_the_request(told):
    assert told["wrong"] == told["unknown"] == told["wrongCurrent"] == REFUSED
    assert told["keptAfterWrong"] is True


def test_a_wrong_password_is_refused_once(told):
    """On a browser that is known, too: the audit trail and the person's own list count what they did."""
    refused = [
        line["reason"]
        for line in map(json.loads, told["log"].splitlines())
        if line.get("route") == "/api/login" and line.get("code") == "refused"
    ]
    assert refused[0] == "wrong_secret"
    assert refused[1:3] == ["unknown_name", "unknown_device"]


def test_a_browser_that_the_server_has_forgotten_is_enrolled_anew_the_second_time(told):
    assert told["doubted"] == REFUSED
    assert told["enrolledAnew"] is True


def test_a_record_that_lost_its_keys_is_as_good_as_none(told):
    assert told["damaged"] is True


def test_nothing_is_kept_of_an_answer_about_another_account(told):
    assert told["ofAnother"] == [INTERNAL, INTERNAL]
    assert told["keptOfAnother"] == {"known": True, "enrolled": False}


def test_a_database_that_could_not_be_opened_again_is_asked_for_the_next_time(told):
    assert told["reopened"] == ["not now", None]


def test_a_database_that_opens_too_late_is_closed(told):
    assert told["late"] == ["no answer", "closed", None]


def test_what_may_be_tried_again_is_tried_once(told):
    assert told["once"] == [None, None]
    again, unknown, overloaded, strange = told["twice"]
    assert again == {"code": "begin_again", "requestId": True}
    assert unknown == {"code": "key_unknown", "requestId": True}
    assert overloaded == {"code": "overloaded", "requestId": True, "retryAfter": 17}
    assert strange == {"code": "unavailable", "requestId": True, "retryAfter": 17}


def test_a_window_that_keeps_nothing_logs_in_all_the_same(told):
    assert told["inMemory"] is True


def test_a_new_password_replaces_the_old_one_and_the_key_under_it(told):
    assert told["weak"] == {"code": "malformed", "reason": "too_short", "requestId": False}
    assert told["changed"] == {"key": True, "version": 1, "device": True}
    assert told["new"] == [{"username": "ada"}] * 2


def test_a_lost_answer_is_found_out_about(told):
    """The line breaks after the server has done it: the account is there, and its password is the new one."""
    assert told["lostRegistration"] == {"username": "bob", "signedIn": True, "opens": True}
    assert told["lostChange"] is None
    assert told["neverSent"] == {"code": "unreachable", "requestId": False}


def test_another_root_or_an_older_document_stops_everything(told):
    assert told["otherRoot"] == told["oldDocument"] == {"code": "not_trusted", "requestId": False}


def test_tabs_at_once_leave_one_record_that_works(told):
    assert told["tabs"] is True


def test_names_and_addresses_are_held_against_the_rules(told):
    assert told["names"] == ["too_short", None, "email_form", None]
    assert told["passwords"] == ["common", "like_name", None]


def test_no_password_is_in_the_servers_log(told):
    assert PASSWORD not in told["log"]
    assert NEXT not in told["log"]
