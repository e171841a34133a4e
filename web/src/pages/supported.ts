/** Whether this browser has what sealing needs. Ed25519 is the youngest of it: who has that has module workers too. */

let looked: Promise<boolean> | undefined;

export function isSupported(): Promise<boolean> {
  looked ??= look();
  return looked;
}

async function look(): Promise<boolean> {
  try {
    await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
    return typeof WebAssembly === "object" && typeof Worker === "function";
  } catch {
    return false;
  }
}
