"""The pages' TypeScript modules: they pass the vectors in files, and Python and they open what the other makes."""

import random
from typing import Any

from tests.kits.browser_modules import run_modules
from tests.kits.made_in_browser import Material, asked_of_modules, check_answers, check_made
from tests.kits.mangled_in_browser import asked_of_readers, check_readers
from tests.kits.rules_in_browser import asked_of_rules, check_rules

from watchword.core.entropy import SystemEntropy
from watchword.testing.counts import count

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
    "key document": 92,
    "python's": 14,
    "chest": 14,
    "recovery key": 24,
    "sealing": 5,
    "common passwords": 5,
    "flips": 200,
    "certificates": 14,
    "forged": 18,
    "rfc8265": 7,
    "answers": 560,
}
"""How much must have been checked: an empty file of vectors proves nothing."""


def check_held(answer: dict[str, Any]) -> None:
    assert answer["failed"] == []
    held = answer["held"]
    assert {subject: held.get(subject, 0) >= least for subject, least in LEAST.items()} == dict.fromkeys(
        LEAST, True
    )


def test_the_modules_of_the_pages_and_python_read_each_other_req_P7(tmp_path):
    entropy = SystemEntropy()
    material = Material.make(entropy)
    chance = random.Random(7)
    rules = asked_of_rules(chance, count(2_000, 100_000))
    readers = asked_of_readers(chance, count(2_000, 100_000))
    more = {"rules": rules, "readers": readers, "flips": count(200, 20_000)}
    asked = asked_of_modules(material, entropy) | more
    answer = run_modules(asked, tmp_path)
    check_held(answer)
    check_made(answer["made"], asked, material.server)
    check_rules(rules, answer["rules"])
    check_readers(readers, answer["readers"])
    check_answers(answer["answers"])
