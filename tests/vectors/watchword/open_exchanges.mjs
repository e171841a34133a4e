// Opens `exchanges.json` with node:crypto alone: HPKE (RFC 9180, base mode, X25519, HKDF-SHA256, AES-256-GCM) and JWE
// by hand, from docs/protocol/envelope.md. `node open_exchanges.mjs` prints what it checked; exit code 1 on a difference.

import crypto from "node:crypto";
import { readFileSync } from "node:fs";

const vectors = JSON.parse(readFileSync(new URL("exchanges.json", import.meta.url)));
const bytes = (hex) => Buffer.from(hex, "hex");
const ascii = (text) => Buffer.from(text, "ascii");
const number = (value, size) => { const out = Buffer.alloc(size); out.writeUIntBE(value, 0, size); return out; };
const hmac = (key, data) => crypto.createHmac("sha256", key).update(data).digest();
const extract = (salt, ikm) => hmac(salt.length ? salt : Buffer.alloc(32), ikm);
const check = (condition, what) => { if (!condition) { console.error(`DIFFERENT: ${what}`); process.exit(1); } };

function expand(prk, info, size) {
  let block = Buffer.alloc(0), out = Buffer.alloc(0);
  for (let counter = 1; out.length < size; counter++) {
    block = hmac(prk, Buffer.concat([block, info, number(counter, 1)]));
    out = Buffer.concat([out, block]);
  }
  return out.subarray(0, size);
}

const labeledExtract = (suite, salt, label, ikm) => extract(salt, Buffer.concat([ascii("HPKE-v1"), suite, ascii(label), ikm]));
const labeledExpand = (suite, prk, label, info, size) =>
  expand(prk, Buffer.concat([number(size, 2), ascii("HPKE-v1"), suite, ascii(label), info]), size);

const SPKI = bytes("302a300506032b656e032100"), PKCS8 = bytes("302e020100300506032b656e04220420");
const publicKey = (raw) => crypto.createPublicKey({ key: Buffer.concat([SPKI, raw]), format: "der", type: "spki" });
const privateKey = (raw) => crypto.createPrivateKey({ key: Buffer.concat([PKCS8, raw]), format: "der", type: "pkcs8" });

function openGcm(key, nonce, aad, sealed) {
  const cipher = crypto.createDecipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(aad);
  cipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);
}

function openHpke(seed, recipient, info, sealed) {
  const enc = sealed.subarray(0, 32);
  const dh = crypto.diffieHellman({ privateKey: privateKey(seed), publicKey: publicKey(enc) });
  const kem = Buffer.concat([ascii("KEM"), number(0x0020, 2)]);
  const eae = labeledExtract(kem, Buffer.alloc(0), "eae_prk", dh);
  const shared = labeledExpand(kem, eae, "shared_secret", Buffer.concat([enc, recipient]), 32);
  const suite = Buffer.concat([ascii("HPKE"), number(0x0020, 2), number(0x0001, 2), number(0x0002, 2)]);
  const pskId = labeledExtract(suite, Buffer.alloc(0), "psk_id_hash", Buffer.alloc(0));
  const infoHash = labeledExtract(suite, Buffer.alloc(0), "info_hash", info);
  const context = Buffer.concat([number(0, 1), pskId, infoHash]);
  const secret = labeledExtract(suite, shared, "secret", Buffer.alloc(0));
  const key = labeledExpand(suite, secret, "key", context, 32);
  const nonce = labeledExpand(suite, secret, "base_nonce", context, 12);
  return openGcm(key, nonce, Buffer.alloc(0), sealed.subarray(32));
}

const server = vectors.keys.find((key) => key.suite === "X25519");
const info = (first) => Buffer.concat([ascii("watchword/v1/envelope\0"), ascii(first)]);

function openEnvelope(text) {
  const [first, second] = text.split(".");
  return openHpke(bytes(server.seed), bytes(server.public), info(first), Buffer.from(second, "base64url"));
}

function openReply(text, replyKey, purpose) {
  const label = Buffer.concat([ascii("watchword/v1/reply\0"), ascii(purpose)]);
  const key = expand(extract(Buffer.alloc(0), replyKey), label, 32);
  const [header, encrypted, nonce, ciphertext, tag] = text.split(".");
  check(encrypted === "", "the JWE has an encrypted key");
  const sealed = Buffer.concat([ciphertext, tag].map((part) => Buffer.from(part, "base64url")));
  return [key, openGcm(key, Buffer.from(nonce, "base64url"), ascii(header), sealed)];
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
let opened = 0, refused = 0;
for (const vector of vectors.good) {
  const digest = crypto.createHash("sha256").update(vector.envelope).digest();
  check(digest.toString("hex") === vector.digest, `digest of ${vector.purpose}`);
  const first = vector.envelope.split(".")[0];
  check(same(JSON.parse(Buffer.from(first, "base64url")), vector.header), `header of ${vector.purpose}`);
  const ed25519 = crypto.createPublicKey({ key: Buffer.concat([bytes("302a300506032b6570032100"), bytes(vectors.device.public)]), format: "der", type: "spki" });
  const signed = Buffer.concat([ascii("watchword/v1/device-proof\0"), digest]);
  check(crypto.verify(null, signed, ed25519, Buffer.from(vector.device_signature, "base64url")), "device signature");
  const [key, reply] = openReply(vector.reply, bytes(vector.reply_key), vector.purpose);
  check(key.toString("hex") === vector.reply_content_key, `reply key of ${vector.purpose}`);
  check(same(JSON.parse(reply), vector.reply_payload), `reply to ${vector.purpose}`);
  if (vector.suite !== "X25519") continue;
  check(openEnvelope(vector.envelope).toString() === vector.payload, `payload of ${vector.purpose}`);
  opened++;
}
for (const vector of vectors.bad.filter((one) => one.suite === "X25519" && one.step === "open")) {
  let result = null;
  try { result = openEnvelope(vector.envelope); } catch { refused++; }
  check(result === null, `opened: ${vector.why}`);
}
console.log(JSON.stringify({ opened, refused, replies: vectors.good.length }));
