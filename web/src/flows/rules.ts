/**
 * What names and new passwords are held against, since the server never sees a password and never says what is wrong
 * with a name. The tables are large: only who needs them loads them.
 */

import commonPasswords from "../../../src/watchword/protocol/data/common_passwords.bin";

import { CommonPasswords } from "../protocol/common_passwords";
import type { NameReason } from "../protocol/name_rules";
import type { PasswordReason } from "../protocol/password_rules";
import { Failure } from "./failure";
import { isOutdated } from "./outdated";
import { patiently } from "./patience";
import { type Server, getData } from "./server";

const SERVICE = "watchword";
const MAX_LIST = 1 << 20; // bytes
let common: Promise<CommonPasswords> | undefined;

/** Why this password cannot be set; null for a good one. `email` may be empty. */
export async function judge(
  server: Server,
  password: string,
  username: string,
  email: string | undefined,
): Promise<PasswordReason | null> {
  const [rules, list] = await Promise.all([loaded(() => import("../protocol/new_password")), listOf(server)]);
  return rules.judge(password, { username, email, service: SERVICE, common: list });
}

/** Rejects with `malformed` and the reason. */
export async function demandGood(
  server: Server,
  password: string,
  username: string,
  email: string | undefined,
): Promise<void> {
  const reason = await judge(server, password, username, email);
  if (reason !== null) throw new Failure("malformed", { reason });
}

/** Why nobody can be called this; null for a good name. */
export async function judgeName(username: string): Promise<NameReason | null> {
  return (await loaded(() => import("../protocol/name_rules"))).judgeName(username);
}

/** Why no account can have this address; null for a good one. */
export async function judgeEmail(email: string): Promise<NameReason | null> {
  return (await loaded(() => import("../protocol/email_rules"))).judgeEmail(email);
}

/** The list of common passwords, once: if it did not come, whoever asks next tries again. */
function listOf(server: Server): Promise<CommonPasswords> {
  common ??= patiently(() => getData(server, commonPasswords, MAX_LIST).catch(orOutdated))
    .then((data) => new CommonPasswords(data))
    .catch((error: unknown) => {
      common = undefined;
      throw error;
    });
  return common;
}

/** A part of this script that comes when it is needed. */
async function loaded<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch {
    return orOutdated(new Failure("unreachable"));
  }
}

/** Rejects with `error`, unless the server has other scripts than this one by now: then with `outdated`. */
async function orOutdated(error: unknown): Promise<never> {
  throw (await isOutdated(import.meta.url)) ? new Failure("outdated") : error;
}
