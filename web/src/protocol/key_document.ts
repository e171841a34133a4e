/**
 * The server's key document, verified in the steps of docs/protocol/keys.md, section 4. A refusal names its step:
 * `key-document/1` to `key-document/8`; `issuer` and `sealing` are what this client demands besides.
 */

import { type Bytes, equal, fromB64u, utf8 } from "../bytes";
import {
  type Certificate,
  EXTENSION,
  MAX_SIZE,
  USAGE,
  allows,
  fingerprintOf,
  hasExactly,
  isAuthority,
  isIssuedBy,
  onlyName,
  parseCertificate,
  verifies,
} from "../crypto/certificate";
import { HYBRID } from "../crypto/hpke";
import { checkPoint, checkPublic } from "../crypto/xwing";
import { ProtocolError, type Step } from "../errors";
import { parseJson } from "../strict_json";
import { count, list, object, oneOf, text } from "./reading";

const MAX_DOCUMENT = 65_536; // characters
const MAX_KEYS = 16;
const SKEW = 60_000; // milliseconds
const SECOND = 1000;
const SIGNER_NAME = "urn:watchword:key-document";
const ROOT_EXTENSIONS = [EXTENSION.basicConstraints, EXTENSION.keyUsage, EXTENSION.subjectKeyIdentifier];
const SIGNER_EXTENSIONS = [...ROOT_EXTENSIONS, EXTENSION.authorityKeyIdentifier, EXTENSION.subjectAltName];
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const SEALING_KID = /^[A-Za-z0-9_-]{1,64}$/;
const SIGNING_KID = /^[A-Za-z0-9_.:-]{1,64}$/;

export interface Known {
  /** Fingerprint of the root that this origin was first seen with; absent at the first use. */
  readonly pinned?: Uint8Array | undefined;
  /** An instant. */
  readonly now: number;
  /** Number of the last document that was accepted; 0 if none. */
  readonly lastNumber: number;
  /** Origin of this page. */
  readonly issuer: string;
}

export interface VerifiedKeys {
  readonly number: number;
  /** Of the root, 32 bytes: to be pinned. */
  readonly fingerprint: Bytes;
  /** What to seal to now: a key of MLKEM768-X25519. */
  readonly sealing: { readonly kid: string; readonly public: Bytes };
}

/** Verify the document, in this order, up to the first step that fails. */
export async function verifyKeyDocument(document: string, known: Known): Promise<VerifiedKeys> {
  if (document.length > MAX_DOCUMENT) refuse(1);
  const parts = document.split(".");
  if (parts.length !== 3) refuse(2);
  const [first = "", second = "", third = ""] = parts;
  const { signer, root } = await step(2, () => readHeader(first));
  const fingerprint = await fingerprintOf(root);
  await step(3, () => checkRoot(root, known.pinned ?? fingerprint, fingerprint, known.now));
  await step(4, () => checkSigner(signer, root, known.now));
  await step(5, async () => {
    if (!(await verifies(signer, fromB64u(third), utf8(`${first}.${second}`)))) refuse(5);
  });
  const payload = await step(6, () => readPayload(second));
  checkTime(payload.issued_at * SECOND, payload.expires_at * SECOND, known.now, 7);
  if (payload.number < known.lastNumber) refuse(8);
  if (payload.iss !== known.issuer) refuse("issuer");
  const current = payload.sealing.find(({ suite, state }) => suite === HYBRID && state === "current");
  if (current === undefined) return refuse("sealing");
  return { number: payload.number, fingerprint, sealing: { kid: current.kid, public: current.public } };
}

type Numbered = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | "issuer" | "sealing";

function refuse(number: Numbered, byTime = false): never {
  throw new ProtocolError(`key-document/${number}` satisfies Step, byTime);
}

/** Run a step: whatever is thrown inside is its refusal. */
async function step<T>(number: Numbered, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    return refuse(number, error instanceof ProtocolError && error.byTime);
  }
}

function readHeader(encoded: string): { signer: Certificate; root: Certificate } {
  const header = object({
    alg: oneOf("ES256"),
    typ: oneOf("watchword-keys+jwt"),
    x5c: list(text(2 * MAX_SIZE), 2, 2),
  })(parseJson(fromB64u(encoded)));
  const [signer, root] = header.x5c.map((entry) => parseCertificate(fromBase64(entry)));
  if (signer === undefined || root === undefined) return refuse(2);
  return { signer, root };
}

/** Base64 with padding (RFC 7515, section 4.1.6), in its one spelling. */
function fromBase64(entry: string): Bytes {
  if (!BASE64.test(entry)) refuse(2);
  return fromB64u(entry.replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_"));
}

async function checkRoot(root: Certificate, pin: Uint8Array, fingerprint: Bytes, now: number): Promise<void> {
  if (!equal(fingerprint, pin) || !hasExactly(root, ROOT_EXTENSIONS)) refuse(3);
  if (!isAuthority(root) || !allows(root, USAGE.keyCertSign)) refuse(3);
  if (!(await isIssuedBy(root, root))) refuse(3);
  checkTime(root.startsAt, root.endsAt, now, 3);
}

async function checkSigner(signer: Certificate, root: Certificate, now: number): Promise<void> {
  if (!(await isIssuedBy(signer, root)) || !hasExactly(signer, SIGNER_EXTENSIONS)) refuse(4);
  if (isAuthority(signer) || !allows(signer, USAGE.digitalSignature)) refuse(4);
  if (onlyName(signer) !== SIGNER_NAME) refuse(4);
  checkTime(signer.startsAt, signer.endsAt, now, 4);
}

function checkTime(startsAt: number, endsAt: number, now: number, number: Numbered): void {
  if (!(startsAt - SKEW <= now && now < endsAt + SKEW)) refuse(number, true);
}

const sealingKey = object({
  kid: text(64),
  suite: oneOf(HYBRID, "X25519"),
  public: text(4096),
  state: oneOf("current", "retiring"),
});

const signingKey = object({
  kty: oneOf("EC"),
  crv: oneOf("P-256"),
  x: text(64),
  y: text(64),
  kid: text(64),
  alg: oneOf("ES256"),
  use: oneOf("sig"),
});

const positive = count(1);
const payloadForm = object({
  v: count(1, 1),
  iss: text(255),
  number: positive,
  issued_at: positive,
  expires_at: positive,
  min_version: positive,
  sealing: list(sealingKey, 1, MAX_KEYS),
  jwks: object({ keys: list(signingKey, 1, MAX_KEYS) }),
});

async function readPayload(encoded: string) {
  const payload = payloadForm(parseJson(fromB64u(encoded)));
  if (payload.iss === "") refuse(6);
  const sealing = payload.sealing.map(readSealingKey);
  await Promise.all(payload.jwks.keys.map(checkSigningKey));
  for (const keys of [sealing, payload.jwks.keys]) {
    if (new Set(keys.map(({ kid }) => kid)).size !== keys.length) refuse(6);
  }
  return { ...payload, sealing };
}

function readSealingKey(entry: ReturnType<typeof sealingKey>) {
  const data = fromB64u(entry.public);
  if (!SEALING_KID.test(entry.kid)) refuse(6);
  if (entry.suite === HYBRID) checkPublic(data);
  else checkPoint(data);
  return { ...entry, public: data };
}

/** This client verifies no tokens; a list of keys that are none is refused all the same. */
async function checkSigningKey({ kid, x, y }: ReturnType<typeof signingKey>): Promise<void> {
  if (!SIGNING_KID.test(kid) || fromB64u(x).length !== 32 || fromB64u(y).length !== 32) refuse(6);
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  await crypto.subtle.importKey("jwk", { kty: "EC", crv: "P-256", x, y }, algorithm, false, ["verify"]);
}
