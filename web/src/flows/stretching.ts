/** A password, stretched as often as an attempt needs it and no more: twice with one salt gives the same. */

import { type Bytes, b64u, wipe } from "../bytes";
import type { BeginAnswer, StretchBody } from "../protocol/messages";
import { type Split, split } from "../protocol/split";

export class Stretcher {
  private readonly made = new Map<string, Split>();

  /** `prepared` belongs to the stretcher, which wipes it. */
  constructor(private readonly prepared: Bytes) {}

  async split(salt: Bytes, params: StretchBody): Promise<Split> {
    const name = JSON.stringify([b64u(salt), params]);
    const known = this.made.get(name);
    if (known !== undefined) return known;
    const halves = await split(this.prepared, salt, params);
    this.made.set(name, halves);
    return halves;
  }

  /** As the server asks, within the bounds that are compiled in here. */
  splitFor(begun: BeginAnswer): Promise<Split> {
    return this.split(begun.salt, begun.stretch);
  }

  /** Overwrite it all. */
  end(): void {
    wipe(this.prepared);
    for (const { loginSecret, wrappingKey } of this.made.values()) wipe(loginSecret, wrappingKey);
  }
}
