/** The strict reader of JSON against the language's own, and what it must refuse besides. */

import { parseJson } from "../src/strict_json";
import type { Checks } from "./checks";

const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

const GOOD = [
  "{}",
  ' { "a" : [ 1 , -2 , 0 , true , false , null , "" ] } ',
  '"\\u0041\\n\\t\\/\\\\\\" \\ud83d\\ude00 é 😀"',
  '{"__proto__":{"a":1},"constructor":2}',
  "9007199254740991",
  deep(32),
];

const BAD = [
  "",
  "{",
  "{}{}",
  '{"a":1,"a":2}',
  '{"a":{"b":1,"b":1}}',
  '{"a":1,"\\u0061":2}',
  "1.0",
  "1e3",
  "-0",
  "01",
  "+1",
  "9007199254740992",
  "NaN",
  "Infinity",
  "'a'",
  "[1,]",
  '{"a":1,}',
  "{a:1}",
  "truex",
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\x41"',
  '"a\nb"',
  '"a',
  "\ufeff{}",
  "\u00a0{}",
  "/**/{}",
  deep(33),
];

export async function checkJson(checks: Checks): Promise<void> {
  const encoder = new TextEncoder();
  for (const text of GOOD) checks.same("json", text, parseJson(encoder.encode(text)), JSON.parse(text));
  for (const text of BAD) await checks.refused("json", text, "json", () => parseJson(encoder.encode(text)));
  const notUtf8 = Uint8Array.of(0x22, 0xff, 0x22);
  await checks.refused("json", "not UTF-8", "json", () => parseJson(notUtf8));
}
