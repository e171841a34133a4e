/**
 * X.509 as the key document has it (docs/protocol/keys.md, section 2): two certificates of our own making, with
 * P-256 keys and ECDSA with SHA-256. What we would not have written is refused, so a general reader has no place here.
 */

import { type Bytes, concat, equal, fromHex, fromUtf8, hex, sha256 } from "../bytes";
import { ProtocolError } from "../errors";
import { DerReader, TAG, type Value } from "./der";

export const MAX_SIZE = 2048; // bytes of DER; ours have about 500
const SPKI_HEAD = fromHex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"); // RFC 5480, P-256, uncompressed
const SPKI_SIZE = 91;
const ECDSA_WITH_SHA256 = fromHex("300a06082a8648ce3d040302"); // RFC 5758, section 3.2
const VERSION_3 = fromHex("020102");
const SCALAR_SIZE = 32;
const ES256 = { name: "ECDSA", hash: "SHA-256" };

/** Extensions by name, as RFC 5280, section 4.2.1, numbers them; in hexadecimal of the object identifier. */
export const EXTENSION = {
  subjectKeyIdentifier: "551d0e",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  authorityKeyIdentifier: "551d23",
} as const;

/** Bits of a key usage, from the first. */
export const USAGE = { digitalSignature: 0, keyCertSign: 5 } as const;

/** A certificate that parses. Nothing in it is verified. */
export interface Certificate {
  /** What is signed. */
  readonly signed: Bytes;
  /** r ‖ s, 64 bytes. */
  readonly signature: Bytes;
  readonly issuer: Bytes;
  readonly subject: Bytes;
  /** Instants: the first and the last moment. */
  readonly startsAt: number;
  readonly endsAt: number;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Bytes;
  /** Values by object identifier in hexadecimal. */
  readonly extensions: ReadonlyMap<string, Bytes>;
}

/** Read one certificate in DER. Refuses (`certificate`) whatever has another form than ours. */
export function parseCertificate(der: Bytes): Certificate {
  if (der.length > MAX_SIZE) refuse();
  const outer = DerReader.inside(der);
  const body = outer.take(TAG.sequence);
  demand(outer.take(TAG.sequence), ECDSA_WITH_SHA256);
  const signature = ecdsaSignature(bitString(outer.take(TAG.bits)));
  outer.end();
  return { ...parseBody(new DerReader(body.content)), signed: body.whole, signature };
}

function parseBody(body: DerReader): Omit<Certificate, "signed" | "signature"> {
  if (!equal(body.take(TAG.version).content, VERSION_3)) refuse();
  body.take(TAG.integer);
  demand(body.take(TAG.sequence), ECDSA_WITH_SHA256);
  const issuer = body.take(TAG.sequence).whole;
  const times = body.enter();
  const [startsAt, endsAt] = [instant(times), instant(times)];
  times.end();
  const subject = body.take(TAG.sequence).whole;
  const publicKey = body.take(TAG.sequence).whole;
  const isOurs = publicKey.length === SPKI_SIZE && equal(publicKey.slice(0, SPKI_HEAD.length), SPKI_HEAD);
  if (!isOurs) refuse();
  const extensions = parseExtensions(body.enter(TAG.extensions).enter());
  body.end();
  return { issuer, subject, startsAt, endsAt, publicKey, extensions };
}

function parseExtensions(list: DerReader): Map<string, Bytes> {
  const found = new Map<string, Bytes>();
  while (!list.isDone) {
    const extension = list.enter();
    const name = hex(extension.take(TAG.oid).content);
    if (extension.sees(TAG.boolean)) boolean(extension.take(TAG.boolean));
    if (found.has(name)) refuse();
    found.set(name, extension.take(TAG.octets).content);
    extension.end();
  }
  return found;
}

/** SHA-256 of the public key: what clients pin. */
export function fingerprintOf(certificate: Certificate): Promise<Bytes> {
  return sha256(certificate.publicKey);
}

/** Whether `issuer` names itself in `certificate`, and signed it. */
export async function isIssuedBy(certificate: Certificate, issuer: Certificate): Promise<boolean> {
  return (
    equal(certificate.issuer, issuer.subject) &&
    (await verifies(issuer, certificate.signature, certificate.signed))
  );
}

/** Whether `signature` (r ‖ s) is one of `message` under the certificate's key. */
export async function verifies(certificate: Certificate, signature: Bytes, message: Bytes): Promise<boolean> {
  if (signature.length !== 2 * SCALAR_SIZE) return false;
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  try {
    const key = await crypto.subtle.importKey("spki", certificate.publicKey, algorithm, false, ["verify"]);
    return await crypto.subtle.verify(ES256, key, signature, message);
  } catch {
    return false; // the point is not on the curve
  }
}

/** Whether it has exactly these extensions: one that we do not know could change what a certificate means. */
export function hasExactly(certificate: Certificate, names: readonly string[]): boolean {
  return certificate.extensions.size === names.length && names.every((name) => certificate.extensions.has(name));
}

/** Whether the basic constraints say that this is an authority. */
export function isAuthority(certificate: Certificate): boolean {
  const constraints = DerReader.inside(extension(certificate, EXTENSION.basicConstraints));
  const authority = constraints.sees(TAG.boolean) && boolean(constraints.take(TAG.boolean));
  if (authority && constraints.sees(TAG.integer)) constraints.take(TAG.integer);
  constraints.end();
  return authority;
}

/** Whether the key usage has this bit. */
export function allows(certificate: Certificate, bit: number): boolean {
  const reader = new DerReader(extension(certificate, EXTENSION.keyUsage));
  const [unused = 0, ...bits] = reader.take(TAG.bits).content;
  reader.end();
  if (unused > 7) refuse();
  return (((bits[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
}

/** The URI that is the only alternative name, or null where there is another or more than one. */
export function onlyName(certificate: Certificate): string | null {
  const uri = 0x86;
  const names = DerReader.inside(extension(certificate, EXTENSION.subjectAltName));
  if (!names.sees(uri)) return null;
  const name = names.take(uri).content;
  return names.isDone ? fromUtf8(name) : null;
}

function extension(certificate: Certificate, name: string): Bytes {
  return certificate.extensions.get(name) ?? refuse();
}

function demand(value: Value, expected: Bytes): void {
  if (!equal(value.whole, expected)) refuse();
}

/** DER has one spelling of true, and leaves false out where it is the default. */
function boolean({ content }: Value): boolean {
  if (content.length !== 1 || content[0] !== 0xff) refuse();
  return true;
}

/** The bytes of a bit string that has no bits to spare. */
function bitString({ content }: Value): Bytes {
  if (content[0] !== 0) refuse();
  return content.slice(1);
}

/** r ‖ s of the sequence that RFC 3279, section 2.2.3, writes. */
function ecdsaSignature(der: Bytes): Bytes {
  const parts = DerReader.inside(der);
  const [r, s] = [scalar(parts.take(TAG.integer)), scalar(parts.take(TAG.integer))];
  parts.end();
  return concat(r, s);
}

/** A positive number in its one spelling, as 32 bytes. */
function scalar({ content }: Value): Bytes {
  const [first = 0x80, second = 0] = content;
  const isSpelledOnce = first < 0x80 && (first !== 0 || second >= 0x80);
  const digits = first === 0 ? content.slice(1) : content;
  if (!isSpelledOnce || digits.length > SCALAR_SIZE) refuse();
  return concat(new Uint8Array(SCALAR_SIZE - digits.length), digits);
}

/** RFC 5280, section 4.1.2.5: to the second, in UTC; two digits of a year up to 2049, four from 2050. */
function instant(times: DerReader): number {
  const isShort = times.sees(TAG.utcTime);
  const written = fromUtf8(times.take(isShort ? TAG.utcTime : TAG.generalizedTime).content);
  if (!(isShort ? /^\d{12}Z$/ : /^\d{14}Z$/).test(written)) refuse();
  const century = isShort ? (written < "50" ? "20" : "19") : "";
  const [year, ...rest] = `${century}${written}`.match(/^\d{4}|\d\d/g) ?? [];
  const iso = `${year}-${rest.slice(0, 2).join("-")}T${rest.slice(2).join(":")}.000Z`;
  const at = Date.parse(iso);
  if (Number.isNaN(at) || new Date(at).toISOString() !== iso) refuse();
  return at;
}

function refuse(): never {
  throw new ProtocolError("certificate");
}
