/**
 * Which check refused what was read. Never a reason in words, and never what was read: that may be a secret.
 * `key-document/3` is step 3 of docs/protocol/keys.md, section 4.
 */
export type Step =
  | "text"
  | "base64url"
  | "hexadecimal"
  | "json"
  | "message"
  | "stretch"
  | "hpke"
  | "jwe"
  | "envelope"
  | "reply"
  | "chest"
  | "recovery-key"
  | "tables"
  | "certificate"
  | `key-document/${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | "issuer" | "sealing"}`;

/** What every module here throws for what it does not take. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";

  /** `byTime`: all was well but the time, so that a clock may be wrong. */
  constructor(
    readonly step: Step,
    readonly byTime = false,
  ) {
    super(step);
  }
}
