/** What looks like a name that nobody gets (UTS 39, section 4): `adm1n`, `rооt`. */

import { entries, words } from "./code_points";
import { LOOKS_LIKE, RESERVED_SKELETONS } from "./tables/names";

const LOOKS = entries(LOOKS_LIKE);
const SKELETONS: ReadonlySet<string> = new Set(words(RESERVED_SKELETONS));
const UNSEEN_DOT = /(?<=[ij])\u0307/g;

/** The table holds whole skeletons of single letters: only a dot above what turns out to be an i or j is left. */
export function looksReserved(text: string): boolean {
  const letters = Array.from(text.normalize("NFD"), (letter) => LOOKS.get(letter) ?? letter).join("");
  return SKELETONS.has(letters.replace(UNSEEN_DOT, ""));
}
