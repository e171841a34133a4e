/** Counts what held and names what did not; a test in Python reads both. */

import { ProtocolError } from "../src/errors";

export class Checks {
  readonly held: Record<string, number> = {};
  readonly failed: string[] = [];

  /** `found` and `expected` spell the same JSON, whatever the order of members. */
  same(subject: string, what: string, found: unknown, expected: unknown): void {
    this.note(subject, what, canonical(found) === canonical(expected), found);
  }

  /** `run` is refused by a `ProtocolError` of this step. */
  async refused(subject: string, what: string, step: string, run: () => unknown): Promise<void> {
    try {
      this.note(subject, what, false, await run());
    } catch (error) {
      this.note(subject, what, error instanceof ProtocolError && error.step === step, error);
    }
  }

  private note(subject: string, what: string, holds: boolean, found: unknown): void {
    if (holds) this.held[subject] = (this.held[subject] ?? 0) + 1;
    else this.failed.push(`${subject}: ${what}: ${found instanceof Error ? found.stack : JSON.stringify(found)}`);
  }
}

function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, member) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([one], [other]) => (one < other ? -1 : 1)))
      : member,
  );
}
