/**
 * JWE compact (RFC 7516) in exactly one form: `alg` dir, `enc` A256GCM, and the header {"alg","enc","kid","typ"} in
 * this order. Only what we could have written is opened, byte for byte: nothing in a header is the sender's choice.
 */

import { type Bytes, EMPTY, b64u, concat, fromB64u, randomBytes, utf8 } from "../bytes";
import { ProtocolError } from "../errors";

const KEY_SIZE = 32;
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
const KID = /^[A-Za-z0-9_.:-]{1,64}$/;
const TYP = /^[A-Za-z0-9_.:+/-]{1,64}$/;

/** What a JWE is for; both stand in its header, and must be given again to open it. */
export interface JweKind {
  readonly kid: string;
  readonly typ: string;
}

/** Seal `plaintext` under the 32-byte `key`. */
export function sealJwe(plaintext: Bytes, key: Bytes, kind: JweKind): Promise<string> {
  return sealJweWithNonce(plaintext, key, kind, randomBytes(NONCE_SIZE));
}

/** `sealJwe` with a given nonce of 12 bytes, for vectors: one used twice under one key reveals both texts. */
export async function sealJweWithNonce(
  plaintext: Bytes,
  key: Bytes,
  kind: JweKind,
  nonce: Bytes,
): Promise<string> {
  const header = headerOf(kind);
  const sealed = new Uint8Array(
    await crypto.subtle.encrypt(parameters(nonce, header), await cipher(key, "encrypt"), plaintext),
  );
  const end = sealed.length - TAG_SIZE;
  return [header, "", b64u(nonce), b64u(sealed.subarray(0, end)), b64u(sealed.subarray(end))].join(".");
}

/** The plaintext of what `sealJwe` made with the same key and kind; `maxSize` bounds the text, in characters. */
export async function openJwe(text: string, key: Bytes, kind: JweKind, maxSize: number): Promise<Bytes> {
  const parts = text.length <= maxSize ? text.split(".") : [];
  const [header, encrypted, ...rest] = parts;
  if (parts.length !== 5 || header !== headerOf(kind) || encrypted !== "") throw new ProtocolError("jwe");
  const [nonce = EMPTY, ciphertext = EMPTY, tag = EMPTY] = rest.map(part);
  if (nonce.length !== NONCE_SIZE || tag.length !== TAG_SIZE) throw new ProtocolError("jwe");
  const opener = await cipher(key, "decrypt");
  try {
    const opened = await crypto.subtle.decrypt(parameters(nonce, header), opener, concat(ciphertext, tag));
    return new Uint8Array(opened);
  } catch {
    throw new ProtocolError("jwe");
  }
}

function headerOf({ kid, typ }: JweKind): string {
  if (!KID.test(kid) || !TYP.test(typ)) throw new ProtocolError("jwe");
  return b64u(utf8(`{"alg":"dir","enc":"A256GCM","kid":"${kid}","typ":"${typ}"}`));
}

function part(text: string): Bytes {
  try {
    return fromB64u(text);
  } catch {
    throw new ProtocolError("jwe");
  }
}

function parameters(nonce: Bytes, header: string): AesGcmParams {
  return { name: "AES-GCM", iv: nonce, additionalData: utf8(header), tagLength: 8 * TAG_SIZE };
}

async function cipher(key: Bytes, use: "encrypt" | "decrypt"): Promise<CryptoKey> {
  if (key.length !== KEY_SIZE) throw new ProtocolError("jwe");
  return crypto.subtle.importKey("raw", key, "AES-GCM", false, [use]);
}
