/** Sealed envelopes to the server's public key, and the sealed answers to them (docs/protocol/envelope.md). */

import { type Bytes, b64u, equal, fromB64uSized, sha256, utf8, wipe } from "../bytes";
import { derive } from "../crypto/hkdf";
import { HYBRID, seal } from "../crypto/hpke";
import { openJwe } from "../crypto/jwe";
import { ProtocolError } from "../errors";
import { type Json, type JsonObject, encodeJson, parseJson } from "../strict_json";
import { isObject } from "./reading";

export const REPLY_KEY_SIZE = 32;
const VERSION = 1;
const DIGEST_SIZE = 32;
const MAX_TEXT = 65_000; // characters
const MAX_PAYLOAD = 49_152; // bytes
const MAX_REPLY = 131_072; // characters; the largest answer holds a key document

/** What an envelope is for. One sealed for one purpose opens for no other. */
export type Purpose = "begin" | "login" | "register" | "enrol" | "password";

const NEEDS_SHORT_KEY: ReadonlySet<Purpose> = new Set(["login", "register", "password"]);

export interface ToSeal {
  readonly purpose: Purpose;
  readonly suite: typeof HYBRID;
  /** Which key of the server's `recipient` is. */
  readonly kid: string;
  /** Origin of the server. */
  readonly issuer: string;
  /** For `login`, `register` and `password`, and for no other. */
  readonly shortKey?: string;
  /** The server's public key, 1,216 bytes. */
  readonly recipient: Uint8Array;
  /** With a fresh `reply_key` in it. */
  readonly payload: JsonObject;
}

export interface Envelope {
  readonly envelope: string;
  /** SHA-256 of the text, 32 bytes: what a device signs, and what the answer must name. */
  readonly digest: Bytes;
}

/** Seal `payload` to the server. */
export async function sealEnvelope(to: ToSeal): Promise<Envelope> {
  if ((to.shortKey !== undefined) !== NEEDS_SHORT_KEY.has(to.purpose)) throw new ProtocolError("envelope");
  const first = b64u(encodeJson(headerOf(to)));
  const payload = encodeJson(to.payload);
  try {
    if (payload.length > MAX_PAYLOAD) throw new ProtocolError("envelope");
    const info = utf8(`watchword/v1/envelope\0${first}`);
    const envelope = `${first}.${b64u(await seal(to.recipient, info, payload))}`;
    if (envelope.length > MAX_TEXT) throw new ProtocolError("envelope");
    return { envelope, digest: await sha256(utf8(envelope)) };
  } finally {
    wipe(payload);
  }
}

function headerOf({ suite, kid, purpose, issuer, shortKey }: ToSeal): JsonObject {
  return { v: VERSION, suite, kid, purpose, iss: issuer, sk: shortKey };
}

/** The `answer` of a reply to the envelope of this digest. Refuses (`reply`) whatever answers anything else. */
export async function openReply(
  sealed: string,
  replyKey: Bytes,
  purpose: Purpose,
  digest: Bytes,
): Promise<JsonObject> {
  const key = await derive(replyKey, "reply", utf8(purpose));
  try {
    const kind = { kid: purpose, typ: "watchword-reply+jwe" };
    return answerIn(parseJson(await openJwe(sealed, key, kind, MAX_REPLY)), digest);
  } catch {
    throw new ProtocolError("reply");
  } finally {
    wipe(key);
  }
}

function answerIn(reply: Json, digest: Bytes): JsonObject {
  if (!isObject(reply, ["req", "answer"])) throw new ProtocolError("reply");
  const { req, answer } = reply;
  if (typeof req !== "string" || !isObject(answer)) throw new ProtocolError("reply");
  if (!equal(fromB64uSized(req, DIGEST_SIZE), digest)) throw new ProtocolError("reply");
  return answer;
}
