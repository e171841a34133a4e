/** HMAC-SHA-256 (RFC 2104) by WebCrypto. */

import type { Bytes } from "../bytes";

const ALGORITHM = { name: "HMAC", hash: "SHA-256" };

/** 32 bytes. */
export async function hmac(key: Bytes, message: Bytes): Promise<Bytes> {
  const imported = await crypto.subtle.importKey("raw", key, ALGORITHM, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign(ALGORITHM, imported, message));
}
