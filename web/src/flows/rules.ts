/** What this browser holds names and passwords against, since the server never sees a password. */

import { utf8 } from "../bytes";
import { Failure } from "./failure";
import { Stretcher } from "./stretching";

/** Do `work` with a password in the form in which it is stretched; what was made of it is overwritten after. */
export async function withPassword<T>(text: string, work: (password: Stretcher) => Promise<T>): Promise<T> {
  if (!/^[ -~]+$/.test(text)) throw new Failure("malformed", { reason: text === "" ? "empty" : "character" });
  const password = new Stretcher(utf8(text));
  try {
    return await work(password);
  } finally {
    password.end();
  }
}

/** Why this password cannot be set; null for a good one. */
export async function judge(password: string, _username: string, _email: string | undefined): Promise<string | null> {
  return password.length < 15 ? "too_short" : null;
}

/** Why nobody can be called this; null for a good name. */
export async function judgeName(username: string): Promise<string | null> {
  return username.length < 2 ? "too_short" : null;
}

export async function judgeEmail(email: string): Promise<string | null> {
  return email === "" || email.includes("@") ? null : "email_form";
}

/** Rejects with `malformed` and the reason. */
export async function demandGood(password: string, username: string, email: string | undefined): Promise<void> {
  const reason = await judge(password, username, email);
  if (reason !== null) throw new Failure("malformed", { reason });
}
