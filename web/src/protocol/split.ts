/** The password split (docs/protocol/login.md, section 1): what proves the password, and what opens the chest. */

import { type Bytes, concat, utf8, wipe } from "../bytes";
import { SALT_SIZE, argon2id } from "../crypto/argon2";
import { derive } from "../crypto/hkdf";
import { ProtocolError } from "../errors";
import type { StretchBody } from "./messages";

export { SALT_SIZE } from "../crypto/argon2";

/** What new passwords are stretched with, and the floor: no server can ask for a cheaper hash. */
export const FLOOR: StretchBody = { alg: "argon2id", memory_kib: 65_536, passes: 3, lanes: 1 };
/** No server can make a client spend without end. */
export const CEILING: StretchBody = { alg: "argon2id", memory_kib: 1_048_576, passes: 16, lanes: 1 };
const MAX_PASSWORD_SIZE = 4096; // bytes; the policy's 256 code points take at most 1,024

/** The two halves of a stretched password, 32 bytes each. The server never learns the second. */
export interface Split {
  readonly loginSecret: Bytes;
  readonly wrappingKey: Bytes;
}

/** Refuses (`stretch`) parameters outside the table of docs/protocol/login.md. */
export function checkStretch(params: StretchBody): void {
  const { memory_kib: memory, passes, lanes } = params;
  const within =
    memory >= FLOOR.memory_kib &&
    memory <= CEILING.memory_kib &&
    passes >= FLOOR.passes &&
    passes <= CEILING.passes;
  if (params.alg !== "argon2id" || lanes !== 1 || !within) throw new ProtocolError("stretch");
}

/** Stretch a password in its prepared form (`password_rules`), and derive both halves. Everything is checked first. */
export async function split(prepared: Bytes, salt: Bytes, params: StretchBody): Promise<Split> {
  const stretched = await stretch(prepared, salt, params);
  try {
    const bound = concat(salt, canonical(params));
    return {
      loginSecret: await derive(stretched, "password/login", bound),
      wrappingKey: await derive(stretched, "password/wrap", bound),
    };
  } finally {
    wipe(stretched);
  }
}

/** `split` before its halves: 32 bytes that never leave the client. */
export async function stretch(prepared: Bytes, salt: Bytes, params: StretchBody): Promise<Bytes> {
  checkStretch(params);
  if (salt.length !== SALT_SIZE || prepared.length > MAX_PASSWORD_SIZE) throw new ProtocolError("stretch");
  const { memory_kib: memoryKib, passes, lanes } = params;
  return argon2id(prepared, salt, { memoryKib, passes, lanes });
}

/** Canonical JSON: the members sorted. */
function canonical({ alg, lanes, memory_kib, passes }: StretchBody): Bytes {
  return utf8(JSON.stringify({ alg, lanes, memory_kib, passes }));
}
