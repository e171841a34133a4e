/** Ed25519 (RFC 8032) by WebCrypto. */

import { type Bytes, concat, fromB64uSized, fromHex, wipe } from "../bytes";

export const SEED_SIZE = 32;
const PKCS8_HEAD = fromHex("302e020100300506032b657004220420"); // RFC 8410, section 7
const ALGORITHM = "Ed25519";

/** A key pair whose private half nobody can carry away, this page neither. */
export async function generateSigningKey(): Promise<CryptoKeyPair> {
  return (await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"])) as CryptoKeyPair;
}

/** The public half, 32 bytes. */
export async function publicBytes(key: CryptoKey): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.exportKey("raw", key));
}

/** The signature of `message`, 64 bytes. */
export async function sign(key: CryptoKey, message: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign(ALGORITHM, key, message));
}

/** The private key of a seed of 32 bytes, not extractable. */
export async function signingKeyOfSeed(seed: Uint8Array): Promise<CryptoKey> {
  return imported(seed, false);
}

/** The public half of a seed's key, 32 bytes. */
export async function publicOfSeed(seed: Uint8Array): Promise<Bytes> {
  const { x } = await crypto.subtle.exportKey("jwk", await imported(seed, true));
  return fromB64uSized(x ?? "", SEED_SIZE);
}

async function imported(seed: Uint8Array, extractable: boolean): Promise<CryptoKey> {
  const encoded = concat(PKCS8_HEAD, seed);
  try {
    return await crypto.subtle.importKey("pkcs8", encoded, ALGORITHM, extractable, ["sign"]);
  } finally {
    wipe(encoded);
  }
}
