/** What an e-mail address may be, likewise (`watchword.protocol.names.email`). */

import { utf8 } from "../bytes";
import {
  type NameReason,
  checkText,
  enforceUsername,
  hasInvisible,
  isSingleScript,
  reasonOf,
  refuse,
} from "./name_rules";
import { lengthOf } from "./password_rules";

const MAX_EMAIL_SIZE = 254; // octets (RFC 5321, section 4.5.3.1.3, less the angle brackets)
const MAX_LOCAL_SIZE = 64;
const MAX_DOMAIN_SIZE = 253;
const MAX_UNICODE_DOMAIN = 64; // code points of a domain that is not ASCII
const NOT_ASCII = /[^\x00-\x7f]/gu;
const LOCAL = /^[a-zA-Z0-9_][a-zA-Z0-9_+'&~-]*(?:\.[a-zA-Z0-9_+'&~-]+)*$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MARK_FIRST = /^\p{M}/u;

/** Why no account can have this address, or null. */
export function judgeEmail(text: string): NameReason | null {
  return reasonOf(() => checkEmail(text));
}

function checkEmail(text: string): void {
  const whole = checkText(text);
  const at = whole.lastIndexOf("@");
  const [local, domain] = [whole.slice(0, Math.max(at, 0)), whole.slice(at + 1)];
  if (at < 0 || local === "" || domain === "" || local.includes("@")) refuse("email_form");
  checkLocal(local);
  const ascii = toAscii(domain);
  const size = utf8(local).length;
  if (size > MAX_LOCAL_SIZE || size + 1 + ascii.length > MAX_EMAIL_SIZE) refuse("too_long");
}

/** The ASCII of it by the expression; the rest must be letters, digits and marks of one script. */
function checkLocal(local: string): void {
  if (!LOCAL.test(local.replace(NOT_ASCII, "x"))) refuse("email_local");
  if (isAscii(local)) return;
  if (local.normalize("NFKC") !== local || MARK_FIRST.test(local)) refuse("email_local");
  if (hasInvisible(local) || enforceUsername(local) === null || !isSingleScript(local)) refuse("email_local");
}

function toAscii(domain: string): string {
  if (lengthOf(domain) > (isAscii(domain) ? MAX_DOMAIN_SIZE : MAX_UNICODE_DOMAIN)) refuse("email_domain");
  const labels = domain.toLowerCase().normalize("NFC").split(".").map(labelToAscii);
  const joined = labels.join(".");
  const isNumber = /^\d+$/.test(labels.at(-1) ?? "");
  if (labels.length === 1 || isNumber || joined.length > MAX_DOMAIN_SIZE) refuse("email_domain");
  return joined;
}

/**
 * A label that is not plain is turned by the browser's own IDNA (UTS 46), which takes a little more than IDNA 2008:
 * there the server has the last word.
 */
function labelToAscii(label: string): string {
  const plain = isAscii(label) && label.slice(2, 4) !== "--" ? label : asHost(label);
  if (!LABEL.test(plain)) refuse("email_domain");
  return plain;
}

function asHost(label: string): string {
  if (/[/?#@:\\[\]%]/.test(label)) return refuse("email_domain");
  try {
    return new URL(`https://${label}.example`).hostname.slice(0, -".example".length);
  } catch {
    return refuse("email_domain");
  }
}

function isAscii(text: string): boolean {
  return text.search(NOT_ASCII) < 0;
}

