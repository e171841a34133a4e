/** The readers on what was mangled: by Python, which says what to read in it; and here, where all must be refused. */

import { b64u, fromB64u, fromHex, hex } from "../src/bytes";
import { ProtocolError } from "../src/errors";
import { type Known, verifyKeyDocument } from "../src/protocol/key_document";
import { parseJson } from "../src/strict_json";
import type { Checks } from "./checks";

/** See `asked_of_readers` in tests/kits/mangled_in_browser.py. */
export interface AskedOfReaders {
  readonly json: readonly string[];
  readonly base64url: readonly string[];
}

export function answerReaders(asked: AskedOfReaders) {
  return {
    json: asked.json.map((data) => answer(() => [parseJson(fromHex(data))])),
    base64url: asked.base64url.map((text) => answer(() => hex(fromB64u(text)))),
  };
}

function answer<T>(read: () => T): T | "refused" {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtocolError) return "refused";
    throw error;
  }
}

/** A certificate or a payload with any bit changed is refused, by a `ProtocolError`: every byte of them is signed. */
export async function checkFlips(checks: Checks, document: string, known: Known, count: number): Promise<void> {
  const parts = document.split(".");
  const header = JSON.parse(Buffer.from(parts[0] ?? "", "base64url").toString());
  const chain: Uint8Array[] = header.x5c.map((text: string) => Buffer.from(text, "base64"));
  for (let number = 0; number < count; number++) {
    const mangled = chain.map((der) => Uint8Array.from(der));
    const [target] = mangled.slice(number % 2);
    if (target === undefined) throw new Error("a chain of two");
    const place = Math.floor((number * target.length) / count);
    target[place] = (target[place] ?? 0) ^ (1 << (number * 5) % 8);
    const x5c = mangled.map((der) => Buffer.from(der).toString("base64"));
    const first = b64u(new TextEncoder().encode(JSON.stringify({ ...header, x5c })));
    const found = await verifyKeyDocument([first, ...parts.slice(1)].join("."), known).catch((error) => error);
    const isRefused = found instanceof ProtocolError && found.step.startsWith("key-document/");
    checks.same("flips", `bit at ${place}`, isRefused, true);
  }
}
