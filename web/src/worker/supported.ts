/** Whether this browser has what sealing needs: Ed25519 in WebCrypto is the youngest of it. */

import { generateSigningKey } from "../crypto/ed25519";
import { Failure } from "../flows/failure";

let looked: Promise<void> | undefined;

/** Rejects with `unsupported`. */
export function demandSupport(): Promise<void> {
  looked ??= look();
  return looked;
}

async function look(): Promise<void> {
  try {
    if (typeof WebAssembly === "undefined") throw new Error("no WebAssembly");
    await generateSigningKey();
  } catch {
    throw new Failure("unsupported");
  }
}
