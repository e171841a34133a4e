/** Key pairs of MLKEM768-X25519 (X-Wing), each made from a seed of 32 bytes; and what is a public key of it. */

import { XWing } from "@hpke/hybridkem-x-wing";

import { type Bytes, randomBytes, wipe } from "../bytes";
import { ProtocolError } from "../errors";

export const SEED_SIZE = 32;
export const PUBLIC_SIZE = 1216;
const MLKEM_KEY_SIZE = 1184;
const MLKEM_SEED_SIZE = 32; // rho, at the end of an ML-KEM key: FIPS 203, algorithm 13
const MODULUS = 3329;
const FIELD = 2n ** 255n - 19n;
/** The u coordinates of every point of order 1, 2, 4 or 8 on Curve25519 and its twist. */
const SMALL_ORDER = [
  0n,
  1n,
  FIELD - 1n,
  0x00b8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0n,
  0x57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5fn,
];

export function generateSeed(): Bytes {
  return randomBytes(SEED_SIZE);
}

/** The public half of a seed's key, 1,216 bytes. */
export async function publicOf(seed: Uint8Array): Promise<Bytes> {
  if (seed.length !== SEED_SIZE) throw new ProtocolError("hpke");
  const copy = new Uint8Array(seed); // the library takes the whole buffer behind what it is given
  try {
    const kem = new XWing();
    const pair = await kem.generateKeyPairDerand(copy);
    return new Uint8Array(await kem.serializePublicKey(pair.publicKey)).slice();
  } finally {
    wipe(copy);
  }
}

/** Refuses (`hpke`) what is no public key: its size, a coefficient out of range, a bad point. */
export function checkPublic(data: Uint8Array): void {
  if (data.length !== PUBLIC_SIZE || !coefficientsAreReduced(data)) throw new ProtocolError("hpke");
  checkPoint(data.subarray(MLKEM_KEY_SIZE));
}

/** Refuses (`hpke`) 32 bytes that are not the one encoding of a point of large order (RFC 7748). */
export function checkPoint(data: Uint8Array): void {
  const u = data.reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n);
  if (data.length !== 32 || u >= FIELD || SMALL_ORDER.includes(u)) throw new ProtocolError("hpke");
}

/** FIPS 203, section 7.2: a key whose coefficients are not below q is none. Each pair stands in three bytes. */
function coefficientsAreReduced(data: Uint8Array): boolean {
  for (let place = 0; place < MLKEM_KEY_SIZE - MLKEM_SEED_SIZE; place += 3) {
    const [low = 0, middle = 0, high = 0] = data.subarray(place, place + 3);
    const first = low | ((middle & 15) << 8);
    const second = (middle >> 4) | (high << 4);
    if (first >= MODULUS || second >= MODULUS) return false;
  }
  return true;
}
