/** Argon2id version 1.3 (RFC 9106), in WebAssembly. */

import { argon2id as hash } from "hash-wasm";

import type { Bytes } from "../bytes";

export const SALT_SIZE = 16;
const HASH_SIZE = 32;

/** What it costs. Whoever calls has checked it. */
export interface Cost {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

/** `size` bytes. It holds the thread until it is done: some tenths of a second at 64 MiB and three passes. */
export async function argon2id(password: Bytes, salt: Bytes, cost: Cost, size = HASH_SIZE): Promise<Bytes> {
  const digest = await hash({
    password,
    salt,
    memorySize: cost.memoryKib,
    iterations: cost.passes,
    parallelism: cost.lanes,
    hashLength: size,
    outputType: "binary",
  });
  return new Uint8Array(digest);
}
