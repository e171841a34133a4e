/** What the server keeps of a new password: a fresh salt and split for each identifier, and the sealed chest. */

import { b64u, randomBytes, wipe } from "../bytes";
import { type Chest, newChestKey, sealChest, wrapChestKey } from "../protocol/chest";
import type { AccountBody, ChestBody, LoginKind, LoginSplit } from "../protocol/messages";
import { FLOOR, SALT_SIZE } from "../protocol/split";
import type { Context } from "./context";
import type { Stretcher } from "./stretching";

export interface NewSplits {
  readonly logins: readonly LoginSplit[];
  readonly chest: ChestBody;
}

/** The chest is sealed under a fresh key, wrapped for each kind and for the recovery key inside. */
export async function newSplits(
  { way }: Context,
  password: Stretcher,
  kinds: readonly LoginKind[],
  chest: Chest,
): Promise<NewSplits> {
  const chestKey = newChestKey();
  try {
    const logins: LoginSplit[] = [];
    for (const kind of kinds) {
      way.enter("stretch");
      logins.push(await newLogin(password, kind, chestKey));
    }
    return { logins, chest: await sealChest(chest, chestKey) };
  } finally {
    wipe(chestKey);
  }
}

async function newLogin(
  password: Stretcher,
  kind: LoginKind,
  chestKey: ReturnType<typeof newChestKey>,
): Promise<LoginSplit> {
  const salt = randomBytes(SALT_SIZE);
  const { loginSecret, wrappingKey } = await password.split(salt, FLOOR);
  return {
    kind,
    salt: b64u(salt),
    stretch: FLOOR,
    login_secret: b64u(loginSecret),
    wrapped_chest_key: await wrapChestKey(chestKey, wrappingKey, kind),
  };
}

export function kindsOf({ email }: Pick<AccountBody, "email">): readonly LoginKind[] {
  return email === undefined ? ["username"] : ["username", "email"];
}

export function kindOf(identifier: string): LoginKind {
  return identifier.includes("@") ? "email" : "username";
}
