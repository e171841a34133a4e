"""Passwords, names and addresses in the browser's own engine: its Unicode and its patterns are not those of Node."""

import json
import random
from pathlib import Path

from tests.kits.browser_modules import bundled
from tests.kits.rules_in_browser import asked_of_rules, check_spoken
from tests.kits.stage import Stage

from watchword.testing.counts import count


def test_chromium_says_of_passwords_and_names_what_python_says_req_P7(
    chromium: None, stage: Stage, tmp_path: Path
) -> None:
    asked = asked_of_rules(random.Random(11), count(2_000, 100_000))
    script = bundled("in_page.ts", tmp_path, "--format=iife").read_text()
    with stage.browser.new_context() as context:
        page = context.new_page()
        page.add_script_tag(content=script)
        answered = json.loads(page.evaluate("asked => answers(asked)", json.dumps(asked)))
    check_spoken(asked, answered)
