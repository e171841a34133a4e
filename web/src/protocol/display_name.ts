/** What a name to show may be: the rule of `watchword.protocol.names.display`. The server keeps it with plain spaces. */

import type { NameReason } from "./name_rules";

const MAX_LENGTH = 100; // code points
const SPACE = /\p{Zs}/gu;
const OUTER_SPACE = /^ +| +$/g;
const JOINER = /[\u200c\u200d]/g; // of Persian, Indic scripts and emoji: taken between two characters
const JOINS_NOTHING = /(?:^| )[\u200c\u200d]|[\u200c\u200d](?:[\u200c\u200d ]|$)/;
const REFUSED = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;
const NEVER = /[\u2065\ufdd0-\ufdef\ufff0-\ufff8\u{e0000}-\u{e00ff}\u{e01f0}-\u{e0fff}]|\p{Noncharacter_Code_Point}/u;

/** Why nobody can be shown by this name, or null. */
export function judgeDisplayName(text: string): NameReason | null {
  const name = text.replace(SPACE, " ").replace(OUTER_SPACE, "");
  if ([...name].length > MAX_LENGTH) return "display_too_long";
  const joined = name.replace(JOINER, "");
  return REFUSED.test(joined) || NEVER.test(joined) || JOINS_NOTHING.test(name) ? "display_character" : null;
}
