"""The pages' TypeScript modules: they pass the vectors in files, and Python opens what they make."""

from typing import Any

from tests.kits.browser_modules import run_modules

LEAST = {
    "texts": 540,
    "json": 35,
    "hkdf": 3,
    "argon2": 1,
    "xwing": 1,
    "hpke": 33,
    "jwe": 21,
    "split": 13,
    "exchanges": 68,
    "key document": 33,
}
"""How much must have been checked: an empty file of vectors proves nothing."""


def check_held(answer: dict[str, Any]) -> None:
    assert answer["failed"] == []
    held = answer["held"]
    assert {subject: held.get(subject, 0) >= least for subject, least in LEAST.items()} == dict.fromkeys(
        LEAST, True
    )


def test_the_modules_of_the_pages_and_python_read_each_other_req_P7(tmp_path):
    answer = run_modules({}, tmp_path)
    check_held(answer)
