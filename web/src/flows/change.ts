/** Changing the password (docs/protocol/password.md): log in as any client does, renew the chest, replace both. */

import { b64u } from "../bytes";
import { openChest, renewed, wipeChest } from "../protocol/chest";
import { type PasswordAnswer, readPasswordAnswer } from "../protocol/messages";
import type { Context } from "./context";
import { keepClientKey } from "./device";
import { begin, beginningAgain, exchange } from "./exchange";
import { isFailure } from "./failure";
import { toServer } from "./keys";
import { withPassword } from "./password";
import { demandGood } from "./rules";
import { type SignedIn, signIn } from "./sign_in";
import { type NewSplits, kindOf, kindsOf, newSplits } from "./splits";
import type { Stretcher } from "./stretching";

export interface ChangeAsked {
  readonly identifier: string;
  readonly current: string;
  readonly next: string;
  readonly deviceName: string;
}

/** Replace the password; every other session ends. Rejects with `refused` where the current one is wrong. */
export async function change(context: Context, asked: ChangeAsked): Promise<Record<string, never>> {
  await demandGood(context.server, asked.next, asked.identifier, undefined);
  await withPassword(asked.current, (current) =>
    withPassword(asked.next, (next) => replace(context, asked, current, next)),
  );
  return {};
}

async function replace(context: Context, asked: ChangeAsked, current: Stretcher, next: Stretcher): Promise<void> {
  const { identifier, deviceName } = asked;
  const signedIn = await signIn(context, { identifier, deviceName, password: current });
  const { account } = signedIn;
  await demandGood(context.server, asked.next, account.username, account.email);
  const kinds = kindsOf(account);
  context.way.plan(...kinds.map(() => "stretch" as const), "begin", "send");
  const chest = await openChest(signedIn.chest, signedIn.halves.wrappingKey, kindOf(identifier));
  const splits = await newSplits(context, next, kinds, renewed(chest)).finally(() => wipeChest(chest));
  try {
    const { client_key, seed_version } = await send(context, identifier, signedIn, splits);
    const record = await context.store.find(identifier);
    if (record?.account === account.id) await keepClientKey(context, record, client_key, seed_version);
  } catch (error) {
    // Lost on the way: a login with the new password tells whether it is in force, and keeps what the answer held.
    if (!isFailure(error, "unreachable")) throw error;
    await signIn(context, { identifier, deviceName, password: next }).catch(() => Promise.reject(error));
  }
}

function send(
  context: Context,
  identifier: string,
  signedIn: SignedIn,
  { logins, chest }: NewSplits,
): Promise<PasswordAnswer> {
  const { server, way } = context;
  return toServer(context, (to) =>
    beginningAgain(async () => {
      way.enter("begin");
      const begun = await begin(server, to, "password", identifier);
      way.enter("send");
      return exchange(server, to, {
        purpose: "password",
        path: "/api/password",
        payload: {
          identifier,
          login_secret: b64u(signedIn.halves.loginSecret),
          logins: logins.map((login) => ({ ...login, stretch: { ...login.stretch } })),
          chest: { ...chest },
        },
        read: readPasswordAnswer,
        shortKey: begun.short_key,
        accessToken: signedIn.grant.access_token,
      });
    }),
  );
}
