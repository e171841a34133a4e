/** Whether a page was left open over an update: its scripts are named by their content, and the old ones are gone. */

const LIMIT = 10_000; // milliseconds
const GONE: ReadonlySet<number> = new Set([404, 410]);

/** Asks whether this script is still served; false where nobody answers. */
export async function isOutdated(script: string): Promise<boolean> {
  try {
    const answer = await fetch(script, {
      method: "HEAD",
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(LIMIT),
    });
    return GONE.has(answer.status);
  } catch {
    return false;
  }
}
