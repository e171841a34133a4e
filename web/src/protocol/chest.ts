/**
 * The chest: an account's own keys for messages, made and opened here, kept by the server sealed
 * (docs/protocol/chest.md). The recovery key is read from inside, never from what the server says: else a false
 * server could have the next chest key wrapped to itself.
 */

import { type Bytes, b64u, fromB64u, randomBytes, utf8, wipe } from "../bytes";
import { publicOfSeed } from "../crypto/ed25519";
import * as hpke from "../crypto/hpke";
import { openJwe, sealJwe } from "../crypto/jwe";
import { PUBLIC_SIZE, SEED_SIZE, checkPublic, generateSeed, publicOf } from "../crypto/xwing";
import { ProtocolError } from "../errors";
import { encodeJson, parseJson } from "../strict_json";
import type { ChestBody, LoginKind, WrappedChest } from "./messages";
import { bytes, count, list, object } from "./reading";
import { recoverySeed } from "./recovery";

const KEY_SIZE = 32;
const CHEST_TYPE = "watchword-chest+jwe";
const KEY_TYPE = "watchword-chest-key+jwe";
const RECOVERY_INFO = utf8("watchword/v1/chest-recovery\0");
const MAX_WRAPPED = 1024; // characters
const MAX_SEALED = 32_768;

/** An opened chest. Everything in it but the recovery key is secret. */
export interface Chest {
  readonly version: number;
  /** Seed of the account's identity key. */
  readonly identity: Bytes;
  /** Seeds of archive keys, newest first; older ones stay to read what was sealed to them. */
  readonly archive: readonly ArchiveKey[];
  /** Public. */
  readonly recoveryKey: Bytes;
}

export interface ArchiveKey {
  readonly generation: number;
  readonly seed: Bytes;
}

const contentsForm = object({
  identity: bytes(SEED_SIZE),
  archive: list(object({ generation: count(), seed: bytes(SEED_SIZE) }), 1),
  recovery_key: bytes(PUBLIC_SIZE),
});

/** The first chest of a new account, with the recovery key that its owner keeps. */
export async function newChest(recoveryKey: Bytes): Promise<Chest> {
  const seed = await recoverySeed(recoveryKey);
  try {
    const archive = [{ generation: 1, seed: generateSeed() }];
    return { version: 1, identity: randomBytes(SEED_SIZE), archive, recoveryKey: await publicOf(seed) };
  } finally {
    wipe(seed);
  }
}

/** The next version, with a new archive key in front, as a new password demands. */
export function renewed(chest: Chest): Chest {
  const generation = (chest.archive[0]?.generation ?? 0) + 1;
  const archive = [{ generation, seed: generateSeed() }, ...chest.archive];
  return { ...chest, version: chest.version + 1, archive };
}

/** Fresh for each version of a chest. */
export function newChestKey(): Bytes {
  return randomBytes(KEY_SIZE);
}

/** What the server keeps. */
export async function sealChest(chest: Chest, chestKey: Bytes): Promise<ChestBody> {
  const [newest] = chest.archive;
  if (newest === undefined) throw new ProtocolError("chest");
  const recovery = b64u(chest.recoveryKey);
  return {
    version: chest.version,
    identity_key: b64u(await publicOfSeed(chest.identity)),
    archive_key: b64u(await publicOf(newest.seed)),
    archive_generation: newest.generation,
    sealed: await sealContents(chest, chestKey),
    recovery_key: recovery,
    recovery_wrapped: b64u(await hpke.seal(chest.recoveryKey, RECOVERY_INFO, chestKey)),
  };
}

async function sealContents(chest: Chest, chestKey: Bytes): Promise<string> {
  const contents = encodeJson({
    identity: b64u(chest.identity),
    archive: chest.archive.map(({ generation, seed }) => ({ generation, seed: b64u(seed) })),
    recovery_key: b64u(chest.recoveryKey),
  });
  try {
    return await sealJwe(contents, chestKey, { kid: String(chest.version), typ: CHEST_TYPE });
  } finally {
    wipe(contents);
  }
}

/** The chest key, wrapped for the login identifier of this kind. */
export function wrapChestKey(chestKey: Bytes, wrappingKey: Bytes, kind: LoginKind): Promise<string> {
  return sealJwe(chestKey, wrappingKey, { kid: kind, typ: KEY_TYPE });
}

/** Open the chest of a login's answer. Refuses (`chest`) one that is not ours, or damaged. */
export async function openChest(wrapped: WrappedChest, wrappingKey: Bytes, kind: LoginKind): Promise<Chest> {
  const { version, sealed, wrapped_key: text } = wrapped;
  return opening(() => openJwe(text, wrappingKey, { kid: kind, typ: KEY_TYPE }, MAX_WRAPPED), version, sealed);
}

/** Open the chest with the recovery key. Refuses (`chest`) likewise. */
export async function recoverChest(
  kept: Pick<ChestBody, "version" | "sealed" | "recovery_wrapped">,
  recoveryKey: Bytes,
): Promise<Chest> {
  const seed = await recoverySeed(recoveryKey);
  const unwrap = () => hpke.open(seed, RECOVERY_INFO, fromB64u(kept.recovery_wrapped));
  return opening(unwrap, kept.version, kept.sealed).finally(() => wipe(seed));
}

async function opening(unwrap: () => Promise<Bytes>, version: number, sealed: string): Promise<Chest> {
  try {
    const chestKey = await unwrap();
    const kind = { kid: String(version), typ: CHEST_TYPE };
    const opened = await openJwe(sealed, chestKey, kind, MAX_SEALED).finally(() => wipe(chestKey));
    const contents = contentsForm(parseJson(opened));
    wipe(opened);
    checkPublic(contents.recovery_key);
    return { version, identity: contents.identity, archive: contents.archive, recoveryKey: contents.recovery_key };
  } catch {
    throw new ProtocolError("chest");
  }
}

/** Overwrite the secrets of a chest that is no longer needed. */
export function wipeChest(chest: Chest): void {
  wipe(chest.identity, ...chest.archive.map(({ seed }) => seed));
}
