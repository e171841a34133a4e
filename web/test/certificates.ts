/** Certificates taken apart and put together otherwise: a reader must take one spelling and no other. */

import { type Bytes, concat, fromB64u, fromUtf8, hex } from "../src/bytes";
import { parseCertificate } from "../src/crypto/certificate";
import { DerReader, TAG } from "../src/crypto/der";
import type { Checks } from "./checks";

export async function checkCertificates(checks: Checks, document: string): Promise<void> {
  const header = JSON.parse(fromUtf8(fromB64u(document.split(".")[0] ?? "")));
  const der: Bytes = Uint8Array.from(Buffer.from(header.x5c[0], "base64"));
  const [body, algorithm, signature] = inside(der);
  const fields = inside(body);
  const extensions = inside(inside(fields.at(-1))[0]);
  const withExtensions = (list: readonly Bytes[]) =>
    wrap(wrap([...fields.slice(0, -1), wrap([wrap(list)], TAG.extensions)]), algorithm, signature);
  checks.same("certificates", "put together as it was", hex(withExtensions(extensions)), hex(der));
  parseCertificate(der);

  const signed = (r: Bytes, s: Bytes) => wrap(body, algorithm, wrap([Uint8Array.of(0), wrap([r, s])], TAG.bits));
  const one = Uint8Array.of(TAG.integer, 1, 1);
  parseCertificate(signed(one, one));
  const large = wrap([Uint8Array.of(TAG.oid, 1, 1), wrap([new Uint8Array(2048)], TAG.octets)]);
  const bad: Record<string, Bytes> = {
    "an extension twice": withExtensions([...extensions, ...extensions.slice(0, 1)]),
    "larger than any": withExtensions([...extensions, large]),
    "a value after the signature": wrap(body, algorithm, signature, one),
    "a value after the certificate": concat(der, one),
    "two algorithms": wrap(body, wrap([Uint8Array.of(TAG.oid, 1, 1)]), signature),
    "a long length": concat(Uint8Array.of(0x30, 0x83, 0), der.subarray(2)),
    "a short length written long": signed(Uint8Array.of(TAG.integer, 0x81, 1, 1), one),
    "r with a zero too many": signed(Uint8Array.of(TAG.integer, 2, 0, 1), one),
    "r below zero": signed(Uint8Array.of(TAG.integer, 1, 0x80), one),
    "r of no size": signed(Uint8Array.of(TAG.integer, 0), one),
    "r of 33 bytes": signed(concat(Uint8Array.of(TAG.integer, 33), new Uint8Array(33).fill(1)), one),
    "three numbers": wrap(body, algorithm, wrap([Uint8Array.of(0), wrap([one, one, one])], TAG.bits)),
    "spare bits": wrap(body, algorithm, wrap([Uint8Array.of(1), wrap([one, one])], TAG.bits)),
  };
  for (const [why, certificate] of Object.entries(bad)) {
    await checks.refused("certificates", why, "certificate", () => parseCertificate(certificate));
  }
}

/** Every value inside the one that `value` is. */
function inside(value: Bytes = new Uint8Array()): Bytes[] {
  const reader = DerReader.inside(value, value[0]);
  const found: Bytes[] = [];
  while (!reader.isDone) found.push(reader.take(reader.next).whole);
  return found;
}

/** A value of this tag around these. */
function wrap(parts: readonly Bytes[] | Bytes | undefined, ...more: readonly (Bytes | number | undefined)[]): Bytes {
  const tag = more.find((each) => typeof each === "number") ?? TAG.sequence;
  const others = more.filter((each) => each instanceof Uint8Array);
  const content = concat(...(parts instanceof Uint8Array ? [parts] : (parts ?? [])), ...others);
  const size = content.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return concat(Uint8Array.of(tag, ...length), content);
}
