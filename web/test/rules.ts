/** What the rules of passwords and names say of many texts; Python says what they should. */

import { readFileSync } from "node:fs";

import { CommonPasswords } from "../src/protocol/common_passwords";
import { judge } from "../src/protocol/new_password";
import type { Checks } from "./checks";
import { type Spoken, answerSpoken } from "./spoken";

/** See `asked_of_rules` in tests/kits/rules_in_browser.py. */
export interface AskedOfRules extends Spoken {
  readonly commonPasswords: string;
  readonly judged: readonly Judged[];
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
  return { ...answerSpoken(asked), judged, count: common.count };
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
