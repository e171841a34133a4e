/** Bytes and their texts. Every reader here takes exactly one spelling of each value. */

import { ProtocolError } from "./errors";

/** Bytes that WebCrypto takes: never over shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>;

export const EMPTY: Bytes = new Uint8Array(0);

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES = new Map([...DIGITS].map((digit, value) => [digit.charCodeAt(0), value]));
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Whether `text` is text at all: no half of a pair stands alone. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** UTF-8 of `text`. Refuses (`text`) lone surrogates, which `TextEncoder` would replace without a word. */
export function utf8(text: string): Bytes {
  if (!isWellFormed(text)) throw new ProtocolError("text");
  return new TextEncoder().encode(text);
}

/** The text that `data` is the UTF-8 of; refuses (`text`) anything else. A byte order mark stays a character. */
export function fromUtf8(data: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new ProtocolError("text");
  }
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let place = 0;
  for (const part of parts) {
    joined.set(part, place);
    place += part.length;
  }
  return joined;
}

export function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Lower-case hexadecimal, two digits for each byte. */
export function fromHex(text: string): Bytes {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new ProtocolError("hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** base64url without padding (RFC 4648, section 5). */
export function b64u(data: Uint8Array): string {
  let text = "";
  for (let place = 0; place < data.length; place += 3) {
    const [first = 0, second = 0, third = 0] = data.subarray(place, place + 3);
    const bits = (first << 16) | (second << 8) | third;
    const digits = Math.min(data.length - place, 3) + 1;
    for (let digit = 0; digit < digits; digit++) text += DIGITS.charAt((bits >> (18 - 6 * digit)) & 63);
  }
  return text;
}

/** Exact inverse of `b64u`: no padding, no other alphabet, no spare bit set. */
export function fromB64u(text: string): Bytes {
  if (text.length % 4 === 1) throw new ProtocolError("base64url");
  const data = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let place = 0;
  for (let index = 0; index < text.length; index++) {
    const value = VALUES.get(text.charCodeAt(index));
    if (value === undefined) throw new ProtocolError("base64url");
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      data[place++] = (bits >> held) & 0xff;
    }
  }
  if ((bits & ((1 << held) - 1)) !== 0) throw new ProtocolError("base64url");
  return data;
}

/** `fromB64u` of exactly `size` bytes. */
export function fromB64uSized(text: string, size: number): Bytes {
  const data = fromB64u(text);
  if (data.length !== size) throw new ProtocolError("base64url");
  return data;
}

/** Whether both hold the same bytes; the time tells no more than their lengths. */
export function equal(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.length ^ other.length;
  for (let place = 0; place < one.length; place++) difference |= (one[place] ?? 0) ^ (other[place] ?? 0);
  return difference === 0;
}

/** Overwrite secrets that are used up. What the engine copied meanwhile is out of reach. */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}

export function randomBytes(size: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(size));
}

export async function sha256(data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}
