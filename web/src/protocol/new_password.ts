/** Which passwords are too easy to guess to be set. The server cannot judge: it never sees one. */

import { caseFold } from "./case_folding";
import type { CommonPasswords } from "./common_passwords";
import { type PasswordReason, PasswordRefused, lengthOf, prepareText } from "./password_rules";

export const MIN_LENGTH = 15; // code points, for a password that stands alone (NIST SP 800-63B-4, section 3.1.1.2)
const LONGEST_REPEATED = 7;
/** No letter, and in no password: what a removed name leaves, so that its two sides do not become a name. */
const GAP = "\0";
const LETTER = /\p{L}/u;

export interface About {
  readonly username: string;
  readonly email?: string | undefined;
  /** The name by which people know this place. */
  readonly service: string;
  readonly common: CommonPasswords;
}

/** Why this password cannot be set, or null. All rules match it whole; there are none of composition. */
export async function judge(text: string, about: About): Promise<PasswordReason | null> {
  try {
    return await weakness(prepareText(text), about);
  } catch (error) {
    if (error instanceof PasswordRefused) return error.reason;
    throw error;
  }
}

async function weakness(prepared: string, about: About): Promise<PasswordReason | null> {
  if (lengthOf(prepared) < MIN_LENGTH) return "too_short";
  const folded = caseFold(prepared);
  if (isRepeated([...folded])) return "repeated";
  const { common, service } = about;
  if ((await common.has(smallestUnit(folded))) || (await common.has(prepared))) return "common";
  if (isOnly([service], folded)) return "like_service";
  return isOnly([...namesOf(about), service], folded) ? "like_name" : null;
}

/** A short text repeated is as easy to guess as the short text; a last repetition may be cut off. */
function isRepeated(folded: readonly string[]): boolean {
  const longest = Math.min(LONGEST_REPEATED, Math.floor(folded.length / 2));
  const repeats = (period: number) =>
    folded.every((character, place) => place < period || character === folded[place - period]);
  return Array.from({ length: longest }, (_, place) => place + 1).some(repeats);
}

/** The shortest text whose whole repetition is `text`; `text` itself if there is none shorter. */
function smallestUnit(text: string): string {
  return text.slice(0, (text + text).indexOf(text, 1));
}

function namesOf({ username, email }: About): string[] {
  return email ? [username, email, email.split("@")[0] ?? ""] : [username];
}

/** Whether nothing but digits and punctuation is left without the names: `alice1990`, `Alice_Alice!`. */
function isOnly(names: readonly string[], folded: string): boolean {
  let rest = folded;
  for (const name of [...names].sort((one, other) => lengthOf(other) - lengthOf(one))) {
    const plain = caseFold(name.normalize("NFC"));
    if (plain !== "") rest = rest.replaceAll(plain, GAP);
  }
  return rest !== folded && !LETTER.test(rest);
}
