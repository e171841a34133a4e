/** What a browser has no safe for is encrypted under a key that cannot be carried away. */

import { type Bytes, randomBytes, utf8 } from "../bytes";
import type { Sealed } from "./records";

const NONCE_SIZE = 12;

/** What is sealed, for whom: it opens as nothing else. */
export interface Bound {
  readonly origin: string;
  readonly account: string;
  readonly what: "sealing-seed" | "client-key" | "sign-in-token";
}

export async function generateWrappingKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

export async function wrap(key: CryptoKey, plain: Bytes, bound: Bound): Promise<Sealed> {
  const nonce = randomBytes(NONCE_SIZE);
  return { nonce, data: new Uint8Array(await crypto.subtle.encrypt(parameters(nonce, bound), key, plain)) };
}

/** Rejects what was sealed for anything else. */
export async function unwrap(key: CryptoKey, sealed: Sealed, bound: Bound): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.decrypt(parameters(sealed.nonce, bound), key, sealed.data));
}

function parameters(nonce: Bytes, { origin, account, what }: Bound): AesGcmParams {
  const bound = `watchword/v1/browser-store\0${JSON.stringify([origin, account, what])}`;
  return { name: "AES-GCM", iv: nonce, additionalData: utf8(bound), tagLength: 128 };
}
