/** The recovery key: 160 random bits that a person keeps on paper (docs/protocol/chest.md, section 4). */

import { type Bytes, randomBytes } from "../bytes";
import { derive } from "../crypto/hkdf";
import { ProtocolError } from "../errors";

const SIZE = 20;
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford base32
const LENGTH = 32;
const ENDING = 4;
const READ_AS: Readonly<Record<string, string>> = { I: "1", L: "1", O: "0" };

export function newRecoveryKey(): Bytes {
  return randomBytes(SIZE);
}

/** Eight groups of four digits, joined by hyphens. */
export function formatRecoveryKey(key: Uint8Array): string {
  const bits = Array.from(key, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const digits = (bits.match(/.{5}/g) ?? []).map((five) => DIGITS.charAt(Number.parseInt(five, 2)));
  return (digits.join("").match(/.{4}/g) ?? []).join("-");
}

/** What a person typed: either case, with or without hyphens and spaces; I, L and O are read as 1, 1 and 0. */
export function parseRecoveryKey(typed: string): Bytes {
  const digits = fold(typed);
  const values = [...digits].map((digit) => DIGITS.indexOf(digit));
  if (values.length !== LENGTH || values.includes(-1)) throw new ProtocolError("recovery-key");
  const bits = values.map((value) => value.toString(2).padStart(5, "0")).join("");
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (eight) => Number.parseInt(eight, 2));
}

/** Whether somebody who has the key before them typed its last four digits. */
export function isEndingOf(key: Uint8Array, typed: string): boolean {
  return fold(typed) === fold(formatRecoveryKey(key)).slice(-ENDING);
}

/** What proves the key to the server; 32 bytes. */
export function recoverySecret(key: Bytes): Promise<Bytes> {
  return derive(key, "recovery/secret");
}

/** Seed of the key pair that the chest key is wrapped to; 32 bytes that no server ever sees. */
export function recoverySeed(key: Bytes): Promise<Bytes> {
  return derive(key, "recovery/seed");
}

function fold(typed: string): string {
  const plain = typed.trim().replace(/[- ]/g, "");
  return plain.replace(/[a-z]/g, (small) => small.toUpperCase()).replace(/[ILO]/g, (digit) => READ_AS[digit] ?? digit);
}
