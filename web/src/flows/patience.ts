/** Trying again what may be repeated: a line that breaks for a moment is nothing that a person should hear of. */

import { Failure } from "./failure";

const WAITS = [300, 1500]; // milliseconds before the second and the third attempt
const LONGEST = 5; // seconds that a server may ask us to wait without telling anybody

/** `attempt`, up to three times. Only for what does no harm when it arrives twice. */
export async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  for (const wait of WAITS) {
    try {
      return await attempt();
    } catch (error) {
      const asked = pause(error);
      if (asked === undefined) throw error;
      await sleep(Math.max(wait, asked * 1000));
    }
  }
  return attempt();
}

/** Seconds to wait after this error; undefined if waiting does not help. */
function pause(error: unknown): number | undefined {
  if (!(error instanceof Failure)) return undefined;
  if (error.code === "unreachable") return 0;
  const { retryAfter } = error.details;
  return retryAfter !== undefined && retryAfter <= LONGEST ? retryAfter : undefined;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
