/** Rules of context of PRECIS (RFC 5892, appendix A): characters that are allowed in some company only. */

import { CodePoints } from "./code_points";
import * as tables from "./tables/opaque";

const VIRAMA = new CodePoints(tables.VIRAMA);
const JOINS = {
  left: new CodePoints(tables.JOINS_LEFT),
  right: new CodePoints(tables.JOINS_RIGHT),
  dual: new CodePoints(tables.JOINS_DUAL),
  transparent: new CodePoints(tables.JOINS_TRANSPARENT),
};
const GREEK = new CodePoints(tables.GREEK);
const HEBREW = new CodePoints(tables.HEBREW);
const KANA_OR_HAN = new CodePoints(tables.KANA_OR_HAN);
const ARABIC_INDIC = /[\u0660-\u0669]/;
const EXTENDED_ARABIC_INDIC = /[\u06f0-\u06f9]/;

/** Whether each character is in `allowed`, or stands where its rule of context allows it. */
export function areAllowed(characters: readonly string[], allowed: CodePoints): boolean {
  return characters.every((character, place) => allowed.has(character) || fitsContext(characters, place));
}

function fitsContext(all: readonly string[], place: number): boolean {
  const [before, character = "", after] = [all[place - 1], all[place], all[place + 1]];
  switch (character) {
    case "\u200c": // zero width non-joiner
      return VIRAMA.has(before) || standsBetweenJoining(all, place);
    case "\u200d": // zero width joiner
      return VIRAMA.has(before);
    case "\u00b7": // middle dot
      return before === "l" && after === "l";
    case "\u0375": // Greek lower numeral sign
      return GREEK.has(after);
    case "\u05f3": // Hebrew geresh and gershayim
    case "\u05f4":
      return HEBREW.has(before);
    case "\u30fb": // Katakana middle dot
      return all.some((other) => KANA_OR_HAN.has(other));
  }
  if (ARABIC_INDIC.test(character)) return !all.some((other) => EXTENDED_ARABIC_INDIC.test(other));
  if (EXTENDED_ARABIC_INDIC.test(character)) return !all.some((other) => ARABIC_INDIC.test(other));
  return false;
}

function standsBetweenJoining(all: readonly string[], place: number): boolean {
  return joins(all.slice(0, place).reverse(), JOINS.left) && joins(all.slice(place + 1), JOINS.right);
}

/** Whether the first character that is not transparent joins on this side. */
function joins(characters: readonly string[], side: CodePoints): boolean {
  const first = characters.find((character) => !JOINS.transparent.has(character));
  return side.has(first) || JOINS.dual.has(first);
}
