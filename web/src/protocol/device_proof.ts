/** What a device signs to prove itself over an envelope (docs/protocol/envelope.md, section 2). */

import { type Bytes, b64u, concat, utf8 } from "../bytes";
import { sign } from "../crypto/ed25519";

/** Sign the 32-byte digest of an envelope; base64url of 64 bytes. */
export async function proveDevice(key: CryptoKey, digest: Bytes): Promise<string> {
  return b64u(await sign(key, concat(utf8("watchword/v1/device-proof\0"), digest)));
}
