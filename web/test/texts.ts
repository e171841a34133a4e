/** Texts of bytes: each value has one spelling. */

import { b64u, equal, fromB64u, fromB64uSized, fromHex, fromUtf8, hex, utf8 } from "../src/bytes";
import type { Checks } from "./checks";

export async function checkTexts(checks: Checks): Promise<void> {
  for (let size = 0; size <= 260; size++) {
    const data = Uint8Array.from({ length: size }, (_, place) => (place * 7 + size) & 255);
    checks.same("texts", `base64url of ${size}`, b64u(data), Buffer.from(data).toString("base64url"));
    checks.same("texts", `from base64url, ${size}`, hex(fromB64u(b64u(data))), Buffer.from(data).toString("hex"));
  }
  for (const text of ["A", "AB", "AAB", "AA==", "AAA=", "A+", "A/", "A A", "AAAAA", "ÄA", "AA\n"]) {
    await checks.refused("texts", text, "base64url", () => fromB64u(text));
  }
  await checks.refused("texts", "another size", "base64url", () => fromB64uSized("AAAA", 2));
  for (const text of ["0", "0g", "AA", " 00"]) await checks.refused("texts", text, "hexadecimal", () => fromHex(text));
  for (const text of ["\ud800", "a\udc00b", "\udc00\ud800"]) {
    await checks.refused("texts", "lone surrogate", "text", () => utf8(text));
  }
  checks.same("texts", "byte order mark stays", fromUtf8(utf8("\ufeffa😀")), "\ufeffa😀");
  const pairs = [equal(utf8("ab"), utf8("ab")), equal(utf8("ab"), utf8("ac")), equal(utf8("ab"), utf8("abc"))];
  checks.same("texts", "equality", pairs, [true, false, false]);
}
