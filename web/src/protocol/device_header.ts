/** How a device proves itself before its request is read (docs/protocol/device-header.md). */

import { type Bytes, b64u, concat, utf8, wipe } from "../bytes";
import { derive } from "../crypto/hkdf";
import { hmac } from "../crypto/hmac";

export const DEVICE_HEADER = "watchword-device";
export const NONCE_SIZE = 16;

export interface HeaderKey {
  readonly device: string;
  readonly clientKey: Bytes;
  /** Which password the client key belongs to. */
  readonly seedVersion: number;
  readonly issuer: string;
}

export interface Moment {
  /** An instant. */
  readonly at: number;
  /** 16 bytes, of this one request. */
  readonly nonce: Bytes;
}

/** The header for one request, sent once; `path` has no query. */
export async function deviceHeader(key: HeaderKey, method: string, path: string, moment: Moment): Promise<string> {
  const head = `v=1, id=${key.device}, t=${moment.at}, n=${b64u(moment.nonce)}, s=${key.seedVersion}`;
  const derived = await derive(key.clientKey, "device/header");
  try {
    const parts = [method, path, key.issuer, head].map(utf8).flatMap((part) => [sized(part.length), part]);
    return `${head}, mac=${b64u(await hmac(derived, concat(...parts)))}`;
  } finally {
    wipe(derived);
  }
}

/** A length in 4 bytes, big-endian. */
function sized(length: number): Bytes {
  const written = new Uint8Array(4);
  new DataView(written.buffer).setUint32(0, length);
  return written;
}
