/** What the rules of passwords and names say of many texts; Python says what they should. */

import { readFileSync } from "node:fs";

import { fromUtf8 } from "../src/bytes";
import { caseFold } from "../src/protocol/case_folding";
import { CommonPasswords } from "../src/protocol/common_passwords";
import { judgeEmail } from "../src/protocol/email_rules";
import { judgeName } from "../src/protocol/name_rules";
import { judge } from "../src/protocol/new_password";
import { PasswordRefused, prepare } from "../src/protocol/password_rules";
import type { Checks } from "./checks";

/** See `asked_of_rules` in tests/kits/rules_in_browser.py. */
export interface AskedOfRules {
  readonly commonPasswords: string;
  readonly prepared: readonly string[];
  readonly judged: readonly Judged[];
  readonly names: readonly string[];
  readonly emails: readonly string[];
  readonly folded: readonly string[];
}

interface Judged {
  readonly password: string;
  readonly username: string;
  readonly email?: string;
  readonly service: string;
}

export async function answerRules(asked: AskedOfRules) {
  const common = new CommonPasswords(fileOf(asked.commonPasswords));
  const judged: (string | null)[] = [];
  for (const { password, ...about } of asked.judged) judged.push(await judge(password, { ...about, common }));
  return {
    prepared: asked.prepared.map(prepared),
    judged,
    names: asked.names.map(judgeName),
    emails: asked.emails.map(judgeEmail),
    folded: asked.folded.map(caseFold),
    count: common.count,
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

export async function checkList(checks: Checks, asked: AskedOfRules): Promise<void> {
  const file = fileOf(asked.commonPasswords);
  const changed = new Uint8Array(file.slice(0));
  changed[4] = 2;
  for (const [why, bad] of [
    ["cut", file.slice(1)],
    ["longer", new Uint8Array([...new Uint8Array(file), 0]).buffer],
    ["another version", changed.buffer],
    ["empty", new ArrayBuffer(0)],
    ["a header alone", file.slice(0, 9)],
  ] as const) {
    await checks.refused("common passwords", why, "tables", () => new CommonPasswords(bad));
  }
}

function fileOf(path: string): ArrayBuffer {
  return Uint8Array.from(readFileSync(path)).buffer;
}
