"""The texts: the same in every language, said somewhere, and nothing left out."""

import re
from pathlib import Path

import pytest

from watchword.errors import ErrorCode
from watchword.protocol.names.email import MAX_EMAIL_SIZE
from watchword.protocol.names.reasons import NameReason
from watchword.protocol.passwords import MAX_LENGTH, MIN_LENGTH, PasswordReason
from watchword.server.activity.model import ActivityKind
from watchword.server.http.problem import KINDS
from watchword.server.pages.catalogue import (
    DEFAULT_LANGUAGE,
    LANGUAGES,
    Plural,
    placeholders,
    texts_of,
)
from watchword.server.pages.languages import choose_language
from watchword.server.pages.words import Done

ROOT = Path(__file__).parents[2]
PAGES, SCRIPTS = ROOT / "src/watchword/server/pages", ROOT / "web/src"
OTHERS = [language for language in LANGUAGES if language != DEFAULT_LANGUAGE]


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_says_the_same_things(language):
    here, there = texts_of(DEFAULT_LANGUAGE).entries, texts_of(language).entries
    assert list(there) == list(here)  # in the same order too: who translates reads them side by side


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_leaves_the_same_places_open(language):
    here, there = texts_of(DEFAULT_LANGUAGE).entries, texts_of(language).entries
    assert {key: placeholders(there[key]) for key in here} == {key: placeholders(here[key]) for key in here}


@pytest.mark.parametrize("language", OTHERS)
def test_what_has_a_plural_has_one_in_every_language(language):
    here, there = texts_of(DEFAULT_LANGUAGE).entries, texts_of(language).entries
    assert {key for key in here if isinstance(here[key], Plural)} == {
        key for key in there if isinstance(there[key], Plural)
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_holds_markup(language):
    for key, entry in texts_of(language).entries.items():
        for text in (entry,) if isinstance(entry, str) else (entry.one, entry.other):
            assert text.strip() == text != "", key
            assert not re.search(r"[<>&]", text), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_and_every_error_has_its_sentence(language):
    entries = texts_of(language).entries
    assert {f"reason.{reason.value}" for reason in PasswordReason} == {
        key for key in entries if key.startswith("reason.")
    }
    assert {f"name.{reason.value}" for reason in NameReason} == {
        key for key in entries if key.startswith("name.")
    }
    known = listed_in_scripts("SERVER_CODES") | listed_in_scripts("OWN_CODES")
    actions = {f"refused_{action}" for action in ("login", "register", "password")}
    assert {f"problem.{code}" for code in known | actions | {"title"}} == {
        key for key in entries if key.startswith("problem.")
    }


def listed_in_scripts(name: str) -> set[str]:
    """The members of a list in `failure.ts`, where the scripts have their codes."""
    source = (SCRIPTS / "flows/failure.ts").read_text()
    found = re.search(rf"const {name} = \[([^\]]+)\] as const;", source)
    assert found is not None
    return set(re.findall(r'"([a-z_]+)"', found[1]))


def test_the_scripts_know_every_code_that_the_server_answers_with():
    of_commands = {ErrorCode.INVALID_CONFIG, ErrorCode.WRONG_PASSWORD, ErrorCode.DAMAGED}
    of_clients = {ErrorCode.NOT_TRUSTED, ErrorCode.UNREACHABLE}
    assert listed_in_scripts("SERVER_CODES") == {
        code.value for code in set(ErrorCode) - of_commands - of_clients
    }


def test_the_scripts_go_on_with_words_that_pages_know():
    """A page has no sentence for another word, and nobody would hear that it is done."""
    scripts = "".join(path.read_text() for path in sorted((SCRIPTS / "pages").glob("*.ts")))
    said = re.findall(r"\?done=([^\"`]*)", scripts)
    assert sorted(said) == sorted([Done.WELCOME, Done.PASSWORD_CHANGED])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_numbers_in_reasons_are_those_of_the_rules(language):
    texts = texts_of(language)
    assert f" {MIN_LENGTH} " in texts.plain("reason.too_short")
    assert f" {MAX_LENGTH} " in texts.plain("reason.too_long")
    assert f" {MAX_EMAIL_SIZE} " in texts.plain("name.too_long")


def test_a_number_chooses_its_form():
    texts = texts_of("de")
    assert texts.plain("event.sign_in_refused", count=1) == "Eine Anmeldung wurde abgelehnt"
    assert texts.plain("event.sign_in_refused", count=0) == "0 Anmeldungen wurden abgelehnt"
    assert texts.plain("event.sign_in_refused", count=2) == "2 Anmeldungen wurden abgelehnt"


def test_a_plural_without_its_number_is_an_error():
    with pytest.raises(KeyError):
        texts_of("en").plain("event.sign_in_refused")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "de"),
        ("en-GB, de;q=0.9", "en"),
        ("en;q=0.5, de;q=0.9", "de"),
        ("fr, de;q=0.2", "de"),
        ("fr", "en"),
        ("*", "en"),
        ("*, de;q=0.5", "en"),
        ("de, *;q=0.5", "de"),
        ("en;q=0, *", "de"),
        ("de;q=0", "en"),
        ("de;q=0.0, en;q=0", "en"),
        ("de;q=1.001", "en"),
        ("de;q=2", "en"),
        ("de;level=1", "en"),
        ("de, <script>", "en"),
        ("de," * 32 + "de", "en"),
        ("de" + " " * 999, "en"),
        ("de-" + "x" * 9, "en"),
        ("d\xe9", "en"),
    ],
)
def test_the_reader_gets_the_language_they_want_most(header, language):
    assert choose_language(header) == language


def named_in(folder: Path, *endings: str) -> set[str]:
    """What looks like a key in quotes, anywhere in the files of `folder`."""
    files = [path for path in folder.rglob("*") if path.suffix in endings]
    return {
        key for path in files for key in re.findall(r"[\"`]([a-z_]+\.[A-Za-z0-9_.-]+)[\"`]", path.read_text())
    }


def test_every_key_that_a_template_names_is_there():
    named = {
        key
        for path in PAGES.glob("templates/*.html")
        for key in re.findall(r"\bt\(\"([a-z_.-]+)\"[,)]", path.read_text())
    }
    assert len(named) > 50
    assert named <= set(texts_of(DEFAULT_LANGUAGE).entries)


def test_every_text_is_said_somewhere():
    named = named_in(PAGES, ".html", ".py") | named_in(SCRIPTS, ".ts")
    by_value = ("reason.", "name.", "month.m", "error.", "problem.", "progress.", "done.", "event.")
    named |= {f"events.{label}" for label in ("device", "address", "app")}
    entries = texts_of(DEFAULT_LANGUAGE).entries
    assert sorted(key for key in entries if key not in named and not key.startswith(by_value)) == []


def test_what_is_said_by_a_value_has_that_value():
    entries = texts_of(DEFAULT_LANGUAGE).entries

    def under(table: str) -> set[str]:
        return {key.removeprefix(table) for key in entries if key.startswith(table)}

    assert under("done.") == {done.value for done in Done}
    assert under("month.") == {f"m{number}" for number in range(1, 13)}
    assert under("event.") == {kind.value for kind in ActivityKind} | {"level_set_to"}
    codes = {key.split(".")[0] for key in under("error.") if "." in key}
    assert codes <= {code.value for code in ErrorCode}
    to_scripts = {ErrorCode.BEGIN_AGAIN, ErrorCode.KEY_UNKNOWN}
    shown = {code for code in set(KINDS) - to_scripts if KINDS[code] is not KINDS[ErrorCode.INTERNAL]}
    assert {code.value for code in shown} <= codes
    assert under("progress.") == {"start", "keys", "begin", "stretch", "send", "enrol"}
