/** What this browser keeps (docs/design/0003-browser.md), and where: in a database, or in memory where there is none. */

import type { Bytes } from "../bytes";

/** Bytes under a record's wrapping key, bound to origin, account and what they are. */
export interface Sealed {
  readonly nonce: Bytes;
  readonly data: Bytes;
}

/** One account that this browser is enrolled for. No key in it can be carried away. */
export interface DeviceRecord {
  readonly account: string;
  /** Folded (`fold`): what its owner may type to log in. */
  readonly identifiers: readonly string[];
  readonly device: string;
  readonly signing: CryptoKey;
  readonly messageSigning: CryptoKey;
  readonly wrapping: CryptoKey;
  /** Seed of MLKEM768-X25519. */
  readonly sealingSeed: Sealed;
  /** 32 bytes, of this device under the password of `seedVersion`. */
  readonly clientKey: Sealed;
  readonly seedVersion: number;
  readonly signInToken: Sealed;
  /** The last login on this device was refused: the server may have forgotten it. */
  readonly doubted: boolean;
}

/** How the server is known: pinned when it was first seen. */
export interface Trust {
  readonly issuer: string;
  /** Of the root, 32 bytes. */
  readonly fingerprint: Bytes;
  /** Of the newest key document that was accepted. */
  readonly number: number;
}

export interface Store {
  trust(): Promise<Trust | undefined>;
  /** Pin, or remember a higher number. Gives what is kept from now on: another tab may have been first. */
  keepTrust(trust: Trust): Promise<Trust>;
  /** The record of whoever logs in with this identifier. */
  find(identifier: string): Promise<DeviceRecord | undefined>;
  /** Put it in the place of what was there for its account, and for others that were once called the same. */
  keep(record: DeviceRecord): Promise<void>;
  /** Forget the record of an account, if it is still of this device. */
  drop(account: string, device: string): Promise<void>;
}

/** One form for what people type alike. It finds a record; what is sent to the server is what was typed. */
export function fold(identifier: string): string {
  return identifier.trim().normalize("NFC").toLowerCase();
}

/** Of two states of trust the one to keep. Neither another root nor another name ever takes the place of the first. */
export function newer(kept: Trust | undefined, seen: Trust): Trust {
  return kept === undefined ? seen : { ...kept, number: Math.max(kept.number, seen.number) };
}
