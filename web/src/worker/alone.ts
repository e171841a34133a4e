/** One tab at a time: two that enrol at once would make two devices of one browser. */

const NAME = "watchword";
const PATIENCE = 15_000; // milliseconds; a tab that hangs must not keep the others out

/** Run `work` while no other tab runs its own; or without that, where the browser has no locks or it takes too long. */
export async function alone<T>(work: () => Promise<T>): Promise<T> {
  if (!("locks" in navigator)) return work();
  let begun = false;
  const begin = () => {
    begun = true;
    return work();
  };
  try {
    return await navigator.locks.request(NAME, { signal: AbortSignal.timeout(PATIENCE) }, begin);
  } catch (error) {
    if (begun) throw error;
    return work();
  }
}
