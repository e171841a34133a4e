/** HKDF-SHA-256 (RFC 5869), with the labels of docs/protocol/README.md. */

import { type Bytes, EMPTY, concat, utf8 } from "../bytes";

export const KEY_SIZE = 32;

/** Every label that a browser derives under. One label, one purpose. */
export type Label =
  | "password/login"
  | "password/wrap"
  | "recovery/secret"
  | "recovery/seed"
  | "device/header"
  | "reply";

/** 32 bytes of `key`; `info` is the label, a zero byte, then `context`. */
export function derive(key: Bytes, label: Label, context: Uint8Array = EMPTY): Promise<Bytes> {
  return hkdf(key, EMPTY, concat(utf8(`watchword/v1/${label}\0`), context), KEY_SIZE);
}

/** `derive` below its labels, as RFC 5869 has it; `size` in bytes. */
export async function hkdf(key: Bytes, salt: Bytes, info: Bytes, size: number): Promise<Bytes> {
  const imported = await crypto.subtle.importKey("raw", key, "HKDF", false, ["deriveBits"]);
  const parameters = { name: "HKDF", hash: "SHA-256", salt, info };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, imported, 8 * size));
}
