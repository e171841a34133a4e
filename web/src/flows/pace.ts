/** How fast this machine stretches: measured once on little, since the hashing module tells nothing while it works. */

import { randomBytes } from "../bytes";
import { argon2id } from "../crypto/argon2";
import { FLOOR, SALT_SIZE } from "../protocol/split";
import type { StretchBody } from "../protocol/messages";

const TRIAL = { memoryKib: 4096, passes: 1, lanes: 1 };

/** Milliseconds for a block of one KiB in one pass. The first call compiles the module and so is not measured. */
export async function measurePace(): Promise<number> {
  const [nothing, salt] = [randomBytes(16), randomBytes(SALT_SIZE)];
  await argon2id(nothing, salt, { ...TRIAL, memoryKib: 8 });
  const began = performance.now();
  await argon2id(nothing, salt, TRIAL);
  return (performance.now() - began) / (TRIAL.memoryKib * TRIAL.passes);
}

/** Milliseconds that a stretch takes at this pace. */
export function timeOf(pace: number, params: StretchBody = FLOOR): number {
  return pace * params.memory_kib * params.passes;
}
