/** Making an account (docs/protocol/register.md). */

import { b64u, equal, wipe } from "../bytes";
import { type Chest, newChest, openChest, wipeChest } from "../protocol/chest";
import { type LoginKind, readRegisterAnswer } from "../protocol/messages";
import { formatRecoveryKey, newRecoveryKey, recoverySecret } from "../protocol/recovery";
import type { Context } from "./context";
import { begin, beginningAgain, exchange } from "./exchange";
import { isFailure } from "./failure";
import { toServer } from "./keys";
import { withPassword } from "./password";
import { demandGood } from "./rules";
import { enrol, logIn } from "./sign_in";
import { type NewSplits, kindsOf, newSplits } from "./splits";
import type { Stretcher } from "./stretching";

export interface RegisterAsked {
  readonly username: string;
  /** Each of these may be empty. */
  readonly email: string;
  readonly displayName: string;
  readonly invitation: string;
  readonly password: string;
  readonly deviceName: string;
}

export interface Registered {
  readonly username: string;
  /** Shown once, kept nowhere. */
  readonly recoveryKey: string;
  /** False where the account was made, and then the line broke. */
  readonly signedIn: boolean;
}

/** Chosen well, without what was left empty. */
type Chosen = Pick<RegisterAsked, "username" | "deviceName"> & {
  readonly email: string | undefined;
  readonly displayName: string | undefined;
  readonly invitation: string | undefined;
};

/** Make the account, and this browser its first device. Rejects with `refused`, whatever the server's reason. */
export async function register(context: Context, asked: RegisterAsked): Promise<Registered> {
  const chosen = choice(asked);
  await demandGood(context.server, asked.password, chosen.username, chosen.email);
  return withPassword(asked.password, (password) => make(context, chosen, password));
}

async function make(context: Context, chosen: Chosen, password: Stretcher): Promise<Registered> {
  const kinds = kindsOf(chosen);
  context.way.plan("keys", ...kinds.map(() => "stretch" as const), "begin", "send", "enrol");
  context.way.enter("keys");
  const recovery = newRecoveryKey();
  const chest = await newChest(recovery);
  try {
    const splits = await newSplits(context, password, kinds, chest);
    const made = await send(context, chosen, splits, b64u(await recoverySecret(recovery))).catch(
      (error: unknown) => settled(context, chosen, password, chest, error),
    );
    const signedIn = await enrolled(context, made, chosen);
    return { username: chosen.username, recoveryKey: formatRecoveryKey(recovery), signedIn };
  } finally {
    wipe(recovery);
    wipeChest(chest);
  }
}

/** An account that was made just now, and the temporary token that enrols its first device. */
interface Made {
  readonly account: string;
  readonly credential: string;
}

function send(context: Context, chosen: Chosen, splits: NewSplits, recoverySecret: string): Promise<Made> {
  const { server, way } = context;
  return toServer(context, (to) =>
    beginningAgain(async () => {
      way.enter("begin");
      const begun = await begin(server, to, "register", chosen.username);
      way.enter("send");
      const payload = {
        username: chosen.username,
        email: chosen.email,
        display_name: chosen.displayName,
        invitation: chosen.invitation,
        logins: splits.logins.map((login) => ({ ...login, stretch: { ...login.stretch } })),
        chest: { ...splits.chest },
        recovery_secret: recoverySecret,
      };
      const asked = { purpose: "register", path: "/api/register", payload, read: readRegisterAnswer } as const;
      const answer = await exchange(server, to, { ...asked, shortKey: begun.short_key });
      return { account: answer.account.id, credential: answer.temporary_token };
    }),
  );
}

/**
 * When the line breaks before the answer, nobody knows whether the account was made, and with it a recovery key that
 * nobody would ever see. A login tells: if this password opens our own chest, it was. Rejects with `error` if not.
 */
async function settled(
  context: Context,
  chosen: Chosen,
  password: Stretcher,
  made: Chest,
  error: unknown,
): Promise<Made> {
  if (!isFailure(error, "unreachable")) throw error;
  const person = { identifier: chosen.username, deviceName: chosen.deviceName, password };
  const { answer, halves } = await logIn(context, person).catch(() => Promise.reject(error));
  const kind: LoginKind = "username";
  const chest = await openChest(answer.chest, halves.wrappingKey, kind).catch(() => Promise.reject(error));
  const ours = equal(chest.identity, made.identity);
  wipeChest(chest);
  if (!ours || answer.temporary_token === undefined) throw error;
  return { account: answer.account.id, credential: answer.temporary_token };
}

/** The account is there, and its owner must see the recovery key, whatever becomes of this. */
async function enrolled(context: Context, { account, credential }: Made, chosen: Chosen): Promise<boolean> {
  try {
    await enrol(context, credential, { account, typed: chosen.username, deviceName: chosen.deviceName });
    return true;
  } catch {
    return false;
  }
}

function choice({ username, email, displayName, invitation, deviceName }: RegisterAsked): Chosen {
  const given = (text: string) => (text.trim() === "" ? undefined : text.trim());
  return {
    username: username.trim(),
    email: given(email),
    displayName: given(displayName),
    invitation: given(invitation),
    deviceName,
  };
}
