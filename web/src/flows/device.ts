/** This browser as a device of an account: its keys, and the record that it keeps of them. */

import { type Bytes, b64u, randomBytes, utf8, wipe } from "../bytes";
import { generateSigningKey, publicBytes } from "../crypto/ed25519";
import { generateSeed, publicOf } from "../crypto/xwing";
import { NONCE_SIZE, deviceHeader } from "../protocol/device_header";
import type { AccountBody, EnrolAnswer, SessionGrant } from "../protocol/messages";
import { type DeviceRecord, type Sealed, fold } from "../store/records";
import { type Bound, generateWrappingKey, unwrap, wrap } from "../store/wrapping";
import type { JsonObject } from "../strict_json";
import type { Context } from "./context";
import type { Prover } from "./exchange";

/** The three key pairs of a device that is about to be enrolled. */
export interface NewDevice {
  readonly signing: CryptoKeyPair;
  readonly messageSigning: CryptoKeyPair;
  readonly sealingSeed: Bytes;
}

export async function newDevice(): Promise<NewDevice> {
  const [signing, messageSigning] = await Promise.all([generateSigningKey(), generateSigningKey()]);
  return { signing, messageSigning, sealingSeed: generateSeed() };
}

/** The public halves, as a payload has them. */
export async function publicKeys(device: NewDevice): Promise<JsonObject> {
  return {
    signing: b64u(await publicBytes(device.signing.publicKey)),
    message_signing: b64u(await publicBytes(device.messageSigning.publicKey)),
    sealing: b64u(await publicOf(device.sealingSeed)),
  };
}

/** Keep what an enrolment gave. `typed` is what its owner logged in with. */
export async function keepNew(
  context: Context,
  device: NewDevice,
  answer: EnrolAnswer,
  typed: string,
): Promise<void> {
  const { account } = answer;
  const wrapping = await generateWrappingKey();
  const bound: Bound = { origin: context.server.origin, account: account.id, what: "sealing-seed" };
  const sealingSeed = await wrap(wrapping, device.sealingSeed, bound);
  wipe(device.sealingSeed);
  await keep(context, {
    account: account.id,
    identifiers: identifiersOf(account, typed),
    device: answer.device,
    signing: device.signing.privateKey,
    messageSigning: device.messageSigning.privateKey,
    wrapping,
    sealingSeed,
    doubted: false,
    ...(await underWrapping(context, account.id, wrapping, answer.grant)),
  });
}

/** Keep what a login on this device gave. */
export async function keepGrant(
  context: Context,
  record: DeviceRecord,
  account: AccountBody,
  typed: string,
  grant: SessionGrant,
): Promise<void> {
  const given = await underWrapping(context, record.account, record.wrapping, grant);
  await keep(context, { ...record, identifiers: identifiersOf(account, typed), ...given, doubted: false });
}

/** Keep the key of this device under a new password. */
export async function keepClientKey(
  context: Context,
  record: DeviceRecord,
  clientKey: Bytes,
  seedVersion: number,
): Promise<void> {
  const bound: Bound = { origin: context.server.origin, account: record.account, what: "client-key" };
  await keep(context, { ...record, clientKey: await wrap(record.wrapping, clientKey, bound), seedVersion });
}

/** Remember, or forget, that a login on this device was refused. */
export async function keepDoubt(context: Context, record: DeviceRecord, doubted: boolean): Promise<void> {
  await keep(context, { ...record, doubted });
}

export function proverOf(context: Context, record: DeviceRecord): Prover {
  const header = (method: string, path: string) => headerOf(context, record, method, path).catch(() => undefined);
  return { key: record.signing, device: record.device, header };
}

/** Without one, as where the key does not open, the request is what any caller's is. */
async function headerOf(
  { server, now }: Context,
  { account, device, wrapping, clientKey: sealed, seedVersion }: DeviceRecord,
  method: string,
  path: string,
): Promise<string> {
  const clientKey = await unwrap(wrapping, sealed, { origin: server.origin, account, what: "client-key" });
  try {
    const key = { device, clientKey, seedVersion, issuer: server.issuer };
    return await deviceHeader(key, method, path, { at: now(), nonce: randomBytes(NONCE_SIZE) });
  } finally {
    wipe(clientKey);
  }
}

/** A browser that keeps nothing, full as it may be, costs a new enrolment at the next login: nobody is kept out. */
async function keep({ store }: Context, record: DeviceRecord): Promise<void> {
  await store.keep(record).catch(() => store.drop(record.account, record.device).catch(() => undefined));
}

async function underWrapping(
  { server: { origin } }: Context,
  account: string,
  key: CryptoKey,
  grant: SessionGrant,
): Promise<{ clientKey: Sealed; signInToken: Sealed; seedVersion: number }> {
  return {
    clientKey: await wrap(key, grant.client_key, { origin, account, what: "client-key" }),
    signInToken: await wrap(key, utf8(grant.sign_in_token), { origin, account, what: "sign-in-token" }),
    seedVersion: grant.seed_version,
  };
}

function identifiersOf({ username, email }: AccountBody, typed: string): readonly string[] {
  return [...new Set([username, email ?? username, typed].map(fold))];
}
