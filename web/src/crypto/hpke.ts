/**
 * HPKE (RFC 9180), base mode, single shot, with MLKEM768-X25519 (KEM 0x647A, X-Wing), HKDF-SHA256 and
 * AES-256-GCM. A sealed thing is `enc ‖ ciphertext ‖ tag`; what must be bound is `info`, and there is no associated data besides.
 */

import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";

import { type Bytes, concat, wipe } from "../bytes";
import { ProtocolError } from "../errors";
import { SEED_SIZE, checkPoint, checkPublic } from "./xwing";

/** The name of the suite in envelope headers. This client has no other: nobody talks it down. */
export const HYBRID = "MLKEM768-X25519";
const ENC_SIZE = 1120;
const TAG_SIZE = 16;
const POINT_SIZE = 32;

/** Seal `plaintext` to a public key of 1,216 bytes. */
export async function seal(recipient: Uint8Array, info: Bytes, plaintext: Bytes): Promise<Bytes> {
  checkPublic(recipient);
  const suite = hybrid();
  const recipientPublicKey = await suite.kem.deserializePublicKey(recipient.slice().buffer);
  const sealed = await suite.seal({ recipientPublicKey, info }, plaintext);
  return concat(new Uint8Array(sealed.enc), new Uint8Array(sealed.ct));
}

/** The plaintext of what was sealed to the key of this seed under the same `info`. Refuses (`hpke`) all else. */
export async function open(seed: Uint8Array, info: Bytes, sealed: Bytes): Promise<Bytes> {
  if (seed.length !== SEED_SIZE || sealed.length < ENC_SIZE + TAG_SIZE) throw new ProtocolError("hpke");
  const enc = sealed.slice(0, ENC_SIZE);
  checkPoint(enc.subarray(ENC_SIZE - POINT_SIZE));
  const copy = new Uint8Array(seed);
  try {
    const suite = hybrid();
    const recipientKey = await suite.kem.deserializePrivateKey(copy.buffer);
    return new Uint8Array(await suite.open({ recipientKey, enc, info }, sealed.slice(ENC_SIZE)));
  } catch {
    throw new ProtocolError("hpke");
  } finally {
    wipe(copy);
  }
}

/** New each time: the library keeps the identifiers of a suite inside its parts. */
function hybrid(): CipherSuite {
  return new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
}
