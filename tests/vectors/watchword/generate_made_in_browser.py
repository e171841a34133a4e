"""Write `made_in_browser.json` anew: `python -m tests.vectors.watchword.generate_made_in_browser`. Needs Node.js 20.

What the modules of the pages made of material of Python's: the material (`asked`), with the seed of the server's key,
and what came of it (`made`). Keys and salts are new each time.
"""

import json
import random
import tempfile
from pathlib import Path

from tests.kits.browser_modules import run_modules
from tests.kits.made_in_browser import Material, asked_of_modules
from tests.kits.mangled_in_browser import asked_of_readers
from tests.kits.rules_in_browser import asked_of_rules

from watchword.core.entropy import SystemEntropy

TARGET = Path(__file__).with_name("made_in_browser.json")


def main() -> None:
    entropy = SystemEntropy()
    material = Material.make(entropy)
    asked = asked_of_modules(material, entropy)
    chance = random.Random(1)
    others = {"rules": asked_of_rules(chance, 1), "readers": asked_of_readers(chance, 1), "flips": 0}
    with tempfile.TemporaryDirectory() as folder:
        answer = run_modules(asked | others, Path(folder))
    content = {
        "server_seed": material.server.seed().reveal().hex(),
        "asked": asked,
        "made": answer["made"],
    }
    TARGET.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
