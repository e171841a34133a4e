/** What every flow works with. */

import type { Store } from "../store/records";
import type { Way } from "./progress";
import type { Server } from "./server";

export interface Context {
  readonly server: Server;
  readonly store: Store;
  /** The time, an instant. */
  readonly now: () => number;
  readonly way: Way;
}
