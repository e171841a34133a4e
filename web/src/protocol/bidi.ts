/** The Bidi Rule (RFC 5893, section 2): text whose direction nobody can be fooled about. */

import { CodePointClasses } from "./code_points";
import { BIDI_NAMES, BIDI_RUNS } from "./tables/names";

const CLASSES = new CodePointClasses(BIDI_NAMES, BIDI_RUNS);
const RIGHT_TO_LEFT = ["R", "AL", "AN"];
const ANYWHERE = ["EN", "ES", "CS", "ET", "ON", "BN", "NSM"];

/** Whether text obeys the rule; text with nothing that runs from right to left always does. */
export function followsBidiRule(text: string): boolean {
  const classes = [...text].map((character) => CLASSES.of(character));
  if (!classes.some((each) => RIGHT_TO_LEFT.includes(each))) return true;
  const [first = ""] = classes;
  const end = classes.findLastIndex((each) => each !== "NSM");
  const last = classes[end] ?? "";
  const between = classes.slice(1, Math.max(end, 0));
  if (first === "L") return ["L", "EN"].includes(last) && isWithin(between, ["L", ...ANYWHERE]);
  if (first !== "R" && first !== "AL") return false;
  const isOneSetOfDigits = !(["EN", "AN"] as const).every((set) => [...between, last].includes(set));
  const isRightToLeft = isWithin(between, ["R", "AL", "AN", ...ANYWHERE]);
  return isOneSetOfDigits && isRightToLeft && ["R", "AL", "EN", "AN"].includes(last);
}

function isWithin(classes: readonly string[], allowed: readonly string[]): boolean {
  return classes.every((each) => allowed.includes(each));
}
