/** Full case folding (Unicode, section 3.13), which this language does not have: `ß` is `ss`, `ς` is `σ`. */

import { entries, fromBase36, words } from "./code_points";
import { EXPANDED, SHIFTED } from "./tables/folding";

const RADIX = 36;
const FOLDED = new Map([...shifted(), ...expanded()]);

export function caseFold(text: string): string {
  // One by one: the small letter of a final sigma depends on its company, its folding does not.
  return Array.from(text, (character) => FOLDED.get(character) ?? character.toLowerCase()).join("");
}

function* shifted(): Generator<[string, string]> {
  for (const run of words(SHIFTED)) {
    const [first = 0, count = 0, by = 0] = run.split(":").map((part) => Number.parseInt(part, RADIX));
    for (let point = first; point < first + count; point++) {
      yield [String.fromCodePoint(point), String.fromCodePoint(point + by)];
    }
  }
}

function* expanded(): Generator<[string, string]> {
  for (const [character, points] of entries(EXPANDED)) {
    yield [character, points.split("_").map(fromBase36).join("")];
  }
}
