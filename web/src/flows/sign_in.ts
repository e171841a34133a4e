/** Logging in (docs/protocol/login.md), and enrolling this browser where the server does not know it yet (enrol.md). */

import { b64u } from "../bytes";
import {
  type AccountBody,
  type EnrolAnswer,
  type LoginAnswer,
  type SessionGrant,
  type WrappedChest,
  readEnrolAnswer,
  readLoginAnswer,
} from "../protocol/messages";
import type { Split } from "../protocol/split";
import type { DeviceRecord } from "../store/records";
import type { Context } from "./context";
import { keepDoubt, keepGrant, keepNew, newDevice, proverOf, publicKeys } from "./device";
import { type Prover, begin, beginningAgain, exchange } from "./exchange";
import { Failure, isFailure } from "./failure";
import { type Recipient, accept, toServer } from "./keys";
import { patiently } from "./patience";
import type { Stretcher } from "./stretching";

export interface Person {
  /** As typed: user name or e-mail address. */
  readonly identifier: string;
  /** What this browser is to be called, if it is enrolled. */
  readonly deviceName: string;
  readonly password: Stretcher;
}

export interface LoggedIn {
  readonly answer: LoginAnswer;
  /** The halves of the password that opened it. */
  readonly halves: Split;
}

export interface SignedIn {
  readonly account: AccountBody;
  readonly chest: WrappedChest;
  readonly halves: Split;
  /** Its session is in the cookie already. */
  readonly grant: SessionGrant;
}

/** Sign `person` in, on the device that this browser is, or as a new one. Rejects with `refused`, among others. */
export async function signIn(context: Context, person: Person): Promise<SignedIn> {
  const record = await context.store.find(person.identifier);
  if (record === undefined) return asNewDevice(context, person);
  try {
    return await onKnownDevice(context, person, record);
  } catch (error) {
    if (!isFailure(error, "refused")) throw error;
    return startOver(context, person, record, error);
  }
}

/**
 * A refusal never says why: the password may be wrong, or the server has forgotten the device, as after a restored
 * backup. Whoever asks again without the device learns which. That is done when it is refused twice running: else each
 * slip of the fingers would stand twice in the audit trail, and in the person's own list. It costs no second stretch.
 */
async function startOver(
  context: Context,
  person: Person,
  record: DeviceRecord,
  refusal: Failure,
): Promise<SignedIn> {
  await keepDoubt(context, record, !record.doubted);
  if (!record.doubted) throw refusal;
  return asNewDevice(context, person);
}

async function onKnownDevice(context: Context, person: Person, record: DeviceRecord): Promise<SignedIn> {
  context.way.plan("keys", "begin", "stretch", "send");
  const { answer, halves } = await logIn(context, person, proverOf(context, record));
  const { account, chest, grant } = answer;
  if (grant === undefined) throw new Failure("internal");
  demandSame(account, record.account);
  await keepGrant(context, record, account, person.identifier, grant);
  return { account, chest, halves, grant };
}

async function asNewDevice(context: Context, person: Person): Promise<SignedIn> {
  context.way.plan("keys", "begin", "stretch", "send", "enrol");
  const { answer, halves } = await logIn(context, person);
  const { account, chest, temporary_token: credential } = answer;
  if (credential === undefined) throw new Failure("internal");
  const { identifier: typed, deviceName } = person;
  const { grant } = await enrol(context, credential, { account: account.id, typed, deviceName });
  return { account, chest, halves, grant };
}

/** Prove the password, and the device if there is one. Keeps nothing. */
export function logIn(context: Context, person: Person, prover?: Prover): Promise<LoggedIn> {
  const { server, way } = context;
  const { identifier, password } = person;
  way.enter("keys");
  const attempt = (to: Recipient): Promise<LoggedIn> =>
    beginningAgain(async () => {
      way.enter("begin");
      const begun = await begin(server, to, "login", identifier, prover?.header);
      way.enter("stretch");
      const halves = await password.splitFor(begun);
      way.enter("send");
      const answer = await exchange(server, to, {
        purpose: "login",
        path: "/api/login",
        payload: {
          identifier,
          login_secret: b64u(halves.loginSecret),
          ...(prover === undefined ? {} : { browser: true }),
        },
        read: readLoginAnswer,
        shortKey: begun.short_key,
        prover,
        header: prover?.header,
      });
      return { answer, halves };
    });
  return toServer(context, attempt, prover?.header);
}

export interface Enrolment {
  /** Whose password was proved. */
  readonly account: string;
  /** What its owner logged in with. */
  readonly typed: string;
  readonly deviceName: string;
}

/** Make this browser a device. Its keys stay the same through every repetition, so that it becomes one and no more. */
export async function enrol(context: Context, credential: string, asked: Enrolment): Promise<EnrolAnswer> {
  context.way.enter("enrol");
  const device = await newDevice();
  const payload = { credential, device_name: asked.deviceName, keys: await publicKeys(device), browser: true };
  const answer = await patiently(() =>
    toServer(context, (to) =>
      exchange(context.server, to, {
        purpose: "enrol",
        path: "/api/devices",
        payload,
        read: readEnrolAnswer,
        prover: { key: device.signing.privateKey },
      }),
    ),
  );
  demandSame(answer.account, asked.account);
  await accept(context, answer.key_document);
  await keepNew(context, device, answer, asked.typed);
  return answer;
}

/** Nothing is kept of an answer about another account than the one that was asked for. */
function demandSame({ id }: AccountBody, account: string): void {
  if (id !== account) throw new Failure("internal");
}
