/** What the rules that need nothing but an engine's Unicode say of many texts: the same under Node and in a browser. */

import { fromUtf8 } from "../src/bytes";
import { caseFold } from "../src/protocol/case_folding";
import { judgeDisplayName } from "../src/protocol/display_name";
import { judgeEmail } from "../src/protocol/email_rules";
import { judgeName } from "../src/protocol/name_rules";
import { PasswordRefused, prepare } from "../src/protocol/password_rules";

export interface Spoken {
  readonly prepared: readonly string[];
  readonly names: readonly string[];
  readonly emails: readonly string[];
  readonly shown: readonly string[];
  readonly folded: readonly string[];
}

export function answerSpoken(asked: Spoken) {
  return {
    prepared: asked.prepared.map(prepared),
    names: asked.names.map(judgeName),
    emails: asked.emails.map(judgeEmail),
    shown: asked.shown.map(judgeDisplayName),
    folded: asked.folded.map(caseFold),
  };
}

/** As a list of one text, or the reason why there is none. */
function prepared(text: string): [string] | string {
  try {
    return [fromUtf8(prepare(text))];
  } catch (error) {
    if (error instanceof PasswordRefused) return error.reason;
    throw error;
  }
}
