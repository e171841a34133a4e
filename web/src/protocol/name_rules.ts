/**
 * What a user name may be, for the person who types one: the reasons of `watchword.protocol.names`, in the same order.
 * The server is the authority, and tells no reasons.
 */

import { isWellFormed } from "../bytes";
import { caseFold } from "./case_folding";
import { CodePointClasses, CodePoints, fromBase36, words } from "./code_points";
import { followsBidiRule } from "./bidi";
import { lengthOf } from "./password_rules";
import { areAllowed } from "./precis";
import { looksReserved } from "./reserved";
import { IDENTIFIER, RESERVED, SCRIPT_NAMES, SCRIPT_RUNS, ZEROS } from "./tables/names";

/** Stable: texts are found by it. */
export type NameReason =
  | "not_text"
  | "too_short"
  | "too_long"
  | "space"
  | "character"
  | "compatibility"
  | "direction"
  | "mixed_scripts"
  | "mixed_digits"
  | "marks"
  | "edge"
  | "dots"
  | "no_letter"
  | "email_shaped"
  | "id_shaped"
  | "reserved"
  | "email_form"
  | "email_local"
  | "email_domain"
  | "display_too_long"
  | "display_character";

/** A text that no account can be called. */
export class NameRefused extends Error {
  override readonly name = "NameRefused";

  constructor(readonly reason: NameReason) {
    super(reason);
  }
}

const MIN_LENGTH = 2; // code points
const MAX_LENGTH = 64;
const MAX_INPUT_LENGTH = 256;
const MAX_MARKS = 4; // in a row (UTS 39, section 5.4)
const MAX_FOLDS = 8;
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const ASCII_BUT_PLAIN = /[\x00-\x7f](?<![A-Za-z0-9._-])/;
const INVISIBLE = /\p{Cf}/u;
const MARK_FIRST = /^\p{M}/u;
const STANDS_FIRST = /^[\p{L}\p{Nd}]/u;
const STANDS_LAST = /^[\p{L}\p{Nd}\p{M}]/u; // of the last character: a set before `$` fails in some engines
const LETTER = /\p{L}/u;
const ID_SHAPED = /^(?:(?:acc|dev|ses|req|inv)_.*|[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})$/s;
const TOO_MANY_MARKS = new RegExp(`\\p{Mn}{${MAX_MARKS + 1}}`, "u");
const SMALL = /[\p{Lowercase}\p{Lt}]/u;
const CAPITAL = /\p{Uppercase}/u;

const ALLOWED = new CodePoints(IDENTIFIER);
const SCRIPTS = new CodePointClasses(SCRIPT_NAMES, SCRIPT_RUNS);
const ZERO_DIGITS = words(ZEROS).map((point) => fromBase36(point).codePointAt(0) ?? 0);
const RESERVED_NAMES: ReadonlySet<string> = new Set(words(RESERVED));

/** Why nobody can have this name, or null. */
export function judgeName(text: string): NameReason | null {
  return reasonOf(() => checkName(text));
}

/** What `check` refuses, or null. */
export function reasonOf(check: () => void): NameReason | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof NameRefused) return error.reason;
    throw error;
  }
}

function checkName(text: string): void {
  const composed = checkText(text);
  if (lengthOf(composed) < MIN_LENGTH) refuse("too_short");
  if (lengthOf(composed) > MAX_LENGTH) refuse("too_long");
  checkCharacters(composed);
  const enforced = enforceUsername(composed);
  if (enforced === null) return refuse(areAllowed([...composed], ALLOWED) ? "direction" : "character");
  if (lengthOf(enforced) > MAX_LENGTH) refuse("too_long");
  checkShape(enforced);
  const key = canonicalKey(enforced);
  const seen = CAPITAL.test(composed) && !SMALL.test(composed) ? key : composed;
  if (RESERVED_NAMES.has(key) || looksReserved(key) || looksReserved(seen)) refuse("reserved");
}

/** `text` in NFC; throws `NameRefused` for what is no text, or beyond any length. */
export function checkText(text: string): string {
  if (!isWellFormed(text)) refuse("not_text");
  if (lengthOf(text) > MAX_INPUT_LENGTH) refuse("too_long");
  return text.normalize("NFC");
}

/** Before the profile, so that the reason is the one that helps. */
function checkCharacters(text: string): void {
  if (text.includes("@")) refuse("email_shaped");
  if (SPACE.test(text)) refuse("space");
  if (ASCII_BUT_PLAIN.test(text)) refuse("character");
  if (text.normalize("NFKC") !== text) refuse("compatibility");
  if (hasInvisible(text)) refuse("character");
}

/** Joiners, which PRECIS allows in some contexts: two names must not differ by what nobody sees. */
export function hasInvisible(text: string): boolean {
  return INVISIBLE.test(text);
}

/** UsernameCaseMapped (RFC 8265, section 3.3) of text without typographic forms; null where it refuses. */
export function enforceUsername(text: string): string | null {
  const mapped = text.toLowerCase().normalize("NFC");
  const isStable = mapped.toLowerCase().normalize("NFC") === mapped;
  return isStable && followsBidiRule(mapped) && areAllowed([...mapped], ALLOWED) ? mapped : null;
}

/** NFC of the full case folding, repeated until it is stable. */
function canonicalKey(text: string): string {
  let current = text;
  for (let fold = 0; fold < MAX_FOLDS; fold++) current = caseFold(current).normalize("NFC");
  return current;
}

function checkShape(text: string): void {
  const last = [...text].at(-1) ?? "";
  if (!STANDS_FIRST.test(text) || !STANDS_LAST.test(last)) refuse(MARK_FIRST.test(text) ? "marks" : "edge");
  if (text.includes("..")) refuse("dots");
  if (!LETTER.test(text)) refuse("no_letter");
  if (ID_SHAPED.test(text)) refuse("id_shaped");
  if (TOO_MANY_MARKS.test(text.normalize("NFD"))) refuse("marks");
  if (!isSingleScript(text)) refuse("mixed_scripts");
  if (new Set(zerosOf(text)).size > 1) refuse("mixed_digits");
}

/** UTS 39, section 5.1: there is a script, or a writing system of several, in which all of it is at home. */
export function isSingleScript(text: string): boolean {
  const sets = [...text].map((character) => words(SCRIPTS.of(character))).filter((set) => set.length > 0);
  const [first = [], ...others] = sets;
  return sets.length === 0 || first.some((script) => others.every((set) => set.includes(script)));
}

/** For each digit, the zero of its set. */
function zerosOf(text: string): (number | undefined)[] {
  const digits = text.match(/\p{Nd}/gu) ?? [];
  return digits.map((digit) => ZERO_DIGITS.findLast((zero) => zero <= (digit.codePointAt(0) ?? 0)));
}

export function refuse(reason: NameReason): never {
  throw new NameRefused(reason);
}
