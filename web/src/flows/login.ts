/** Logging in, as a page asks for it. */

import type { Context } from "./context";
import { withPassword } from "./password";
import { signIn } from "./sign_in";

export interface LoginAsked {
  readonly identifier: string;
  readonly password: string;
  readonly deviceName: string;
}

export async function logInWith(context: Context, asked: LoginAsked): Promise<{ username: string }> {
  const { identifier, deviceName } = asked;
  return withPassword(asked.password, async (password) => {
    const { account } = await signIn(context, { identifier: identifier.trim(), deviceName, password });
    return { username: account.username };
  });
}
