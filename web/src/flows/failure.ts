/** Why something did not come about, in the one form that the pages are told of. */

import { ProtocolError } from "../errors";

/** The server's error codes (docs/protocol/README.md). A test holds them against `ErrorCode`. */
export const SERVER_CODES = [
  "refused",
  "begin_again",
  "key_unknown",
  "conflict",
  "unauthenticated",
  "forbidden",
  "not_found",
  "malformed",
  "unsupported_media",
  "method_not_allowed",
  "misdirected",
  "too_large",
  "timeout",
  "too_many",
  "overloaded",
  "unavailable",
  "internal",
] as const;

/** What this browser finds by itself. */
const OWN_CODES = ["unreachable", "not_trusted", "clock", "unsupported", "outdated"] as const;

export type ServerCode = (typeof SERVER_CODES)[number];
export type FailureCode = ServerCode | (typeof OWN_CODES)[number];

export interface FailureDetails {
  readonly requestId?: string | undefined;
  /** Seconds. */
  readonly retryAfter?: number | undefined;
  /** A `PasswordReason`. */
  readonly reason?: string | undefined;
}

/** What a page is told. */
export interface Told extends FailureDetails {
  readonly code: FailureCode;
}

export class Failure extends Error {
  override readonly name = "Failure";

  constructor(
    readonly code: FailureCode,
    readonly details: FailureDetails = {},
  ) {
    super(code);
  }
}

/** What to tell of anything that was thrown: never its text, which may hold what somebody typed. */
export function told(error: unknown): Told {
  if (error instanceof Failure) return { code: error.code, ...error.details };
  if (error instanceof ProtocolError && error.byTime) return { code: "clock" };
  if (error instanceof ProtocolError && error.step.startsWith("key-document")) return { code: "not_trusted" };
  return { code: "internal" };
}

export function isFailure(error: unknown, code: FailureCode): error is Failure {
  return error instanceof Failure && error.code === code;
}
