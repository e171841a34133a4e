/**
 * What a password is: OpaqueString (RFC 8265, section 4.2), byte for byte as our other clients prepare it. Spaces of
 * every kind become one kind, and the text is put into NFC; what the Unicode of our tables does not know is refused.
 */

import { type Bytes, isWellFormed, utf8 } from "../bytes";
import { CodePoints } from "./code_points";
import { areAllowed } from "./precis";
import { FREEFORM } from "./tables/opaque";

/** Stable: texts are found by it. The first five say that a text is no password at all. */
export type PasswordReason =
  | "not_text"
  | "empty"
  | "too_long"
  | "character"
  | "too_short"
  | "common"
  | "repeated"
  | "like_name"
  | "like_service";

/** A text that cannot be a password here. Carries the reason, never the text. */
export class PasswordRefused extends Error {
  override readonly name = "PasswordRefused";

  constructor(readonly reason: PasswordReason) {
    super(reason);
  }
}

const MAX_LENGTH = 256; // code points
const MAX_INPUT_LENGTH = 4 * MAX_LENGTH; // code points that are normalised at all
const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g;
const ALLOWED = new CodePoints(FREEFORM);

/** The password as it is stretched, in UTF-8. Throws `PasswordRefused`. */
export function prepare(text: string): Bytes {
  return utf8(prepareText(text));
}

/** `prepare`, as text. */
export function prepareText(text: string): string {
  if (!isWellFormed(text)) throw new PasswordRefused("not_text");
  if (text === "") throw new PasswordRefused("empty");
  if (lengthOf(text) > MAX_INPUT_LENGTH) throw new PasswordRefused("too_long");
  const prepared = text.replace(OTHER_SPACES, " ").normalize("NFC");
  if (!areAllowed([...prepared], ALLOWED)) throw new PasswordRefused("character");
  if (lengthOf(prepared) > MAX_LENGTH) throw new PasswordRefused("too_long");
  return prepared;
}

/** Code points. */
export function lengthOf(text: string): number {
  return [...text].length;
}
