/**
 * The answers of the sealed exchanges, member by member, named as on the wire
 * (docs/protocol/{short-key,login,register,enrol,password}.md). A reader takes its form and nothing more.
 */

import type { Json } from "../strict_json";
import { type Read, bytes, count, flag, object, oneOf, optional, text } from "./reading";

const SMALL = 2 ** 31;
const instant = count();

const stretchBody = object({
  alg: oneOf("argon2id"),
  memory_kib: count(0, SMALL),
  passes: count(0, SMALL),
  lanes: count(0, SMALL),
});

const accountBody = object({
  id: text(64),
  username: text(256),
  level: count(),
  email: optional(text(256)),
  display_name: optional(text(256)),
});

const wrappedChest = object({ version: count(1, SMALL), sealed: text(32_768), wrapped_key: text(1024) });

const sessionBody = object({
  id: text(64),
  device: text(64),
  created_at: instant,
  expires_at: instant,
  ends_at: instant,
  address: optional(text()),
  user_agent: optional(text()),
  device_name: optional(text()),
  current: optional(flag),
});

const sessionGrant = object({
  session: sessionBody,
  sign_in_token: text(),
  access_token: text(),
  access_token_expires_at: instant,
  client_key: bytes(32),
  seed_version: count(),
});

const beginAnswer = object({
  short_key: text(116),
  salt: bytes(16),
  stretch: stretchBody,
  server_time: instant,
});

const loginAnswer = object({
  account: accountBody,
  chest: wrappedChest,
  server_time: instant,
  grant: optional(sessionGrant),
  temporary_token: optional(text(256)),
  temporary_token_expires_at: optional(instant),
});

const registerAnswer = object({
  account: accountBody,
  temporary_token: text(256),
  temporary_token_expires_at: instant,
  server_time: instant,
});

const enrolAnswer = object({
  account: accountBody,
  device: text(64),
  grant: sessionGrant,
  key_document: text(65_536),
  server_time: instant,
});

const passwordAnswer = object({ client_key: bytes(32), seed_version: count(), server_time: instant });

/** The body of each answer of a sealed endpoint. */
const sealedAnswer = object({ sealed: text(131_072) });

/** What a login identifier is. */
export type LoginKind = "username" | "email";

/** What the server keeps of the chest (docs/protocol/chest.md, section 2). */
export type ChestBody = {
  readonly version: number;
  readonly identity_key: string;
  readonly archive_key: string;
  readonly archive_generation: number;
  readonly sealed: string;
  readonly recovery_key: string;
  readonly recovery_wrapped: string;
};

/** One login identifier's own salt, the secret it logs in with, and the chest key wrapped for it. */
export type LoginSplit = {
  readonly kind: LoginKind;
  readonly salt: string;
  readonly stretch: StretchBody;
  readonly login_secret: string;
  readonly wrapped_chest_key: string;
};

export type StretchBody = ReturnType<typeof stretchBody>;
export type AccountBody = ReturnType<typeof accountBody>;
export type WrappedChest = ReturnType<typeof wrappedChest>;
export type SessionBody = ReturnType<typeof sessionBody>;
export type SessionGrant = ReturnType<typeof sessionGrant>;
export type BeginAnswer = ReturnType<typeof beginAnswer>;
export type LoginAnswer = ReturnType<typeof loginAnswer>;
export type RegisterAnswer = ReturnType<typeof registerAnswer>;
export type EnrolAnswer = ReturnType<typeof enrolAnswer>;
export type PasswordAnswer = ReturnType<typeof passwordAnswer>;
export type SealedAnswer = ReturnType<typeof sealedAnswer>;

export const readBeginAnswer: Read<BeginAnswer> = beginAnswer;
export const readLoginAnswer: Read<LoginAnswer> = loginAnswer;
export const readRegisterAnswer: Read<RegisterAnswer> = registerAnswer;
export const readEnrolAnswer: Read<EnrolAnswer> = enrolAnswer;
export const readPasswordAnswer: Read<PasswordAnswer> = passwordAnswer;
export const readSealedAnswer: (value: Json) => SealedAnswer = sealedAnswer;
