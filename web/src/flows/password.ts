/** A password in the form in which it is stretched, for as long as an attempt takes. */

import type { Bytes } from "../bytes";
import { PasswordRefused, prepare } from "../protocol/password_rules";
import { Failure } from "./failure";
import { Stretcher } from "./stretching";

/** Do `work` with it; what was made of it is overwritten after. Rejects with `malformed` for what can be no password. */
export async function withPassword<T>(text: string, work: (password: Stretcher) => Promise<T>): Promise<T> {
  const password = new Stretcher(prepared(text));
  try {
    return await work(password);
  } finally {
    password.end();
  }
}

function prepared(text: string): Bytes {
  try {
    return prepare(text);
  } catch (error) {
    if (error instanceof PasswordRefused) throw new Failure("malformed", { reason: error.reason });
    throw error;
  }
}
