"""The whole HTTP API by its own document: no fault of the server's, and no answer that the document does not state."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kits.api_cases import Sealer, Trial, totals, unsealed
from tests.kits.api_members import Town
from tests.kits.process import RunningServer

from watchword.testing.counts import count, soaking

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs/reference/openapi.json").read_text())


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    place = tmp_path_factory.mktemp("api") / "data"
    with RunningServer.start(place) as server:
        found = Town(server.origin, server.ca)
        yield found
        found.close()
        assert server.find_log("http.fault") is None


@pytest.mark.timeout(3600)
def test_nobody_gets_an_answer_that_is_not_in_the_document(town):
    trial = Trial([DOCUMENT], town)
    trial.run(wanted=count(350, 5_000), examples=count(1, 50), seed=1, coverage=True)
    assert trial.failures == []
    assert totals(trial.answers).keys() >= {200, 400, 401, 403, 405, 415}


@pytest.mark.timeout(3600)
def test_a_caller_with_a_session_gets_no_answer_that_is_not_in_the_document(town):
    anna, leaver = town.move_in("anna"), town.move_in("leaver")

    def token(label: str) -> str:
        if label.startswith("DELETE"):
            leaver.log_in()  # the one before may have ended its session
        return str((leaver if label.startswith("DELETE") else anna).good_token())

    trial = Trial([DOCUMENT], town, token=token)
    trial.run(wanted=count(60, 5_000), examples=count(3, 50), seed=2, coverage=soaking())
    assert trial.failures == []
    assert trial.answers["GET /api/me"][200] > 0
    assert trial.answers["DELETE /api/sessions"][204] > 0
    assert trial.answers["DELETE /api/sessions/{session}"][404] > 0


@pytest.mark.timeout(3600)
def test_what_is_sealed_gets_no_answer_that_is_not_in_the_document(town):
    petra, owner = town.move_in("petra"), town.move_in("olga")
    documents = [unsealed(DOCUMENT, good=True), unsealed(DOCUMENT, good=False)]
    sealer = Sealer(town, petra, owner)
    trial = Trial(documents, town, token=lambda _label: owner.good_token(), sealer=sealer)
    trial.run(wanted=count(40, 10_000), examples=count(4, 50), seed=3, coverage=soaking())
    assert trial.failures == []
    for path in documents[0]["paths"]:
        answers = trial.answers[f"POST {path}"]
        assert answers[200] + answers[201] > 0, path
    assert totals(trial.answers)[403] > 0
