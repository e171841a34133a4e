/** Sealed exchanges: seal a payload, send it, open the answer (docs/protocol/envelope.md). */

import { b64u, randomBytes, wipe } from "../bytes";
import { HYBRID } from "../crypto/hpke";
import { proveDevice } from "../protocol/device_proof";
import { type Purpose, REPLY_KEY_SIZE, openReply, sealEnvelope } from "../protocol/envelope";
import { type BeginAnswer, readBeginAnswer, readSealedAnswer } from "../protocol/messages";
import type { JsonObject } from "../strict_json";
import { isFailure } from "./failure";
import type { Recipient } from "./keys";
import { patiently } from "./patience";
import { type Server, post } from "./server";

/** The header by which a device proves itself before its request is read: a new one each time. */
export type MakeHeader = (method: string, path: string) => Promise<string | undefined>;

/** A device that proves itself beside an envelope; `device` is absent while it enrols. */
export interface Prover {
  readonly key: CryptoKey;
  readonly device?: string;
  readonly header?: MakeHeader;
}

export interface Exchange<T> {
  readonly purpose: Purpose;
  readonly path: string;
  /** Without its reply key. */
  readonly payload: JsonObject;
  readonly read: (answer: JsonObject) => T;
  readonly shortKey?: string;
  readonly prover?: Prover | undefined;
  readonly accessToken?: string;
  readonly header?: MakeHeader | undefined;
}

/** Seal, send, open. Rejects with what the server answered, or refuses an answer to something else. */
export async function exchange<T>(server: Server, to: Recipient, asked: Exchange<T>): Promise<T> {
  const { purpose, path, prover, accessToken } = asked;
  const replyKey = randomBytes(REPLY_KEY_SIZE);
  try {
    const { envelope, digest } = await sealEnvelope({
      purpose,
      suite: HYBRID,
      kid: to.kid,
      issuer: server.issuer,
      recipient: to.public,
      payload: { ...asked.payload, reply_key: b64u(replyKey) },
      ...(asked.shortKey === undefined ? {} : { shortKey: asked.shortKey }),
    });
    const proof = prover && { device: prover.device, signature: await proveDevice(prover.key, digest) };
    const header = await asked.header?.("POST", path);
    const body = { envelope, ...proof };
    const answer = readSealedAnswer(await post(server, path, body, { accessToken, deviceHeader: header }));
    return asked.read(await openReply(answer.sealed, replyKey, purpose, digest));
  } finally {
    wipe(replyKey);
  }
}

/** A short key, and how to stretch, for this identifier and purpose. It changes nothing, so it may be repeated. */
export function begin(
  server: Server,
  to: Recipient,
  purpose: "login" | "register" | "password",
  identifier: string,
  header?: MakeHeader,
): Promise<BeginAnswer> {
  const asked = { path: "/api/login/begin", payload: { purpose, identifier }, read: readBeginAnswer, header };
  return patiently(() => exchange(server, to, { purpose: "begin", ...asked }));
}

/** Run `attempt`; once more if its short key had expired (docs/protocol/short-key.md, section 4). */
export async function beginningAgain<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!isFailure(error, "begin_again")) throw error;
    return attempt();
  }
}
