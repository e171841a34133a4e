/** The modules against vectors in files: ours (tests/vectors/watchword) and published ones. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { b64u, fromHex, fromUtf8, hex } from "../src/bytes";
import { argon2id } from "../src/crypto/argon2";
import { publicOfSeed, signingKeyOfSeed } from "../src/crypto/ed25519";
import { derive, hkdf } from "../src/crypto/hkdf";
import { HYBRID, open, seal } from "../src/crypto/hpke";
import { openJwe, sealJweWithNonce } from "../src/crypto/jwe";
import { checkPublic, publicOf } from "../src/crypto/xwing";
import { deviceHeader } from "../src/protocol/device_header";
import { proveDevice } from "../src/protocol/device_proof";
import { type Purpose, openReply } from "../src/protocol/envelope";
import { verifyKeyDocument } from "../src/protocol/key_document";
import { PasswordRefused, prepareText } from "../src/protocol/password_rules";
import { split, stretch } from "../src/protocol/split";
import type { Json } from "../src/strict_json";
import { type Answered, READERS } from "./answers";
import type { Checks } from "./checks";

// What a file of vectors holds differs by file, and its members are as it says.
type Vectors = any;

export async function checkVectors(checks: Checks, folder: string): Promise<void> {
  const read = (name: string): Vectors => JSON.parse(readFileSync(join(folder, name), "utf8"));
  await checkHkdf(checks, read("rfc5869/hkdf-sha256.json"));
  await checkArgon2(checks, read("argon2/libsodium.json"));
  await checkXwing(checks, read("xwing/hpke-pq-0x647a.json"));
  await checkHpke(checks, read("watchword/hpke.json"));
  await checkJwe(checks, read("watchword/jwe.json"));
  await checkSplit(checks, read("watchword/passwords.json"));
  await checkExchanges(checks, read("watchword/exchanges.json"));
  await checkKeyDocument(checks, read("watchword/key-document.json"));
  await checkDeviceHeaders(checks, read("watchword/device-header.json"));
  checkPasswords(checks, read("rfc8265/examples.json"));
}

async function checkHkdf(checks: Checks, vectors: Vectors): Promise<void> {
  for (const { name, ikm, salt, info, size, okm } of vectors) {
    checks.same("hkdf", name, hex(await hkdf(fromHex(ikm), fromHex(salt), fromHex(info), size)), okm);
  }
}

async function checkArgon2(checks: Checks, vectors: Vectors): Promise<void> {
  for (const { password, salt, passes, memory_bytes: memory, lanes, hash } of vectors) {
    const cost = { memoryKib: Math.floor(memory / 1024), passes, lanes };
    const found = await argon2id(fromHex(password), fromHex(salt), cost, hash.length / 2);
    checks.same("argon2", "libsodium", hex(found), hash);
  }
}

async function checkXwing(checks: Checks, { skRm, pkRm }: Vectors): Promise<void> {
  checks.same("xwing", "published public key", hex(await publicOf(fromHex(skRm))), pkRm);
}

/** This client has the hybrid suite alone. */
function hybrid(entries: Vectors): Vectors[] {
  return entries.filter(({ suite }: Vectors) => suite === HYBRID);
}

async function checkDeviceHeaders(checks: Checks, vectors: Vectors): Promise<void> {
  for (const { what, client_key, device, seed_version, issuer, method, path, t, nonce, header } of vectors.good) {
    const key = { device, clientKey: fromHex(client_key), seedVersion: seed_version, issuer };
    const made = await deviceHeader(key, method, path, { at: t, nonce: fromHex(nonce) });
    checks.same("device header", what, made, header);
  }
}

async function checkHpke(checks: Checks, vectors: Vectors): Promise<void> {
  for (const { sealed_by: by, seed, public: key, info, plaintext, sealed } of hybrid(vectors.good)) {
    checks.same("hpke", `${by}: public key`, hex(await publicOf(fromHex(seed))), key);
    const opened = await open(fromHex(seed), fromHex(info), fromHex(sealed));
    checks.same("hpke", `${by}: opened`, hex(opened), plaintext);
    const again = await seal(fromHex(key), fromHex(info), fromHex(plaintext));
    checks.same("hpke", "sealed anew", hex(await open(fromHex(seed), fromHex(info), again)), plaintext);
  }
  for (const { why, seed, info, sealed } of hybrid(vectors.bad)) {
    await checks.refused("hpke", why, "hpke", () => open(fromHex(seed), fromHex(info), fromHex(sealed)));
  }
  for (const { why, public: key } of hybrid(vectors.bad_public_keys)) {
    await checks.refused("hpke", why, "hpke", () => checkPublic(fromHex(key)));
  }
}

async function checkJwe(checks: Checks, vectors: Vectors): Promise<void> {
  for (const { key, kid, typ, nonce, plaintext, jwe } of vectors.good) {
    const written = await sealJweWithNonce(fromHex(plaintext), fromHex(key), { kid, typ }, fromHex(nonce));
    checks.same("jwe", "written", written, jwe);
    checks.same("jwe", "opened", hex(await openJwe(jwe, fromHex(key), { kid, typ }, 4096)), plaintext);
    await checks.refused("jwe", "too long", "jwe", () => openJwe(jwe, fromHex(key), { kid, typ }, jwe.length - 1));
  }
  for (const { why, key, kid, typ, jwe } of vectors.bad) {
    await checks.refused("jwe", why, "jwe", () => openJwe(jwe, fromHex(key), { kid, typ }, 4096));
  }
}

async function checkSplit(checks: Checks, vectors: Vectors): Promise<void> {
  for (const { password, salt, params, stretched, login_secret, wrapping_key } of vectors.good) {
    const prepared = new TextEncoder().encode(password);
    checks.same("split", "stretched", hex(await stretch(prepared, fromHex(salt), params)), stretched);
    const halves = await split(prepared, fromHex(salt), params);
    checks.same("split", "login secret", hex(halves.loginSecret), login_secret);
    checks.same("split", "wrapping key", hex(halves.wrappingKey), wrapping_key);
  }
  const good = { alg: "argon2id", memory_kib: 65_536, passes: 3, lanes: 1 } as const;
  const outside = [{ memory_kib: 65_535 }, { passes: 2 }, { lanes: 2 }, { memory_kib: 1_048_577 }, { passes: 17 }];
  for (const change of outside) {
    const params = { ...good, ...change };
    await checks.refused("split", JSON.stringify(change), "stretch", () => split(SALT, SALT, params));
  }
  await checks.refused("split", "a short salt", "stretch", () => split(SALT, SALT.subarray(1), good));
  await checks.refused("split", "a long password", "stretch", () => split(new Uint8Array(4097), SALT, good));
}

const YEAR = 365 * 86_400_000;
/** One for each purpose. */
export function recordedAnswers(vectors: Vectors): Answered[] {
  return hybrid(vectors.good).map(({ purpose, reply_payload: { answer } }: Vectors) => ({ purpose, answer }));
}

const SALT = new Uint8Array(16);

async function checkExchanges(checks: Checks, vectors: Vectors): Promise<void> {
  const server = vectors.keys.find(({ suite }: Vectors) => suite === HYBRID);
  const device = fromHex(vectors.device.seed);
  checks.same("exchanges", "device key", hex(await publicOfSeed(device)), vectors.device.public);
  const signer = await signingKeyOfSeed(device);
  for (const vector of vectors.good) {
    const { purpose, digest, reply_key: replyKey, reply, reply_payload: payload } = vector;
    const named = (what: string) => `${vector.suite} ${purpose} ${what}`;
    const key = await derive(fromHex(replyKey), "reply", new TextEncoder().encode(purpose));
    checks.same("exchanges", named("reply key"), hex(key), vector.reply_content_key);
    const proof = await proveDevice(signer, fromHex(digest));
    checks.same("exchanges", named("device proof"), proof, vector.device_signature);
    const answer = await openReply(reply, fromHex(replyKey), purpose, fromHex(digest));
    checks.same("exchanges", named("answer"), answer, payload.answer);
    checks.same("exchanges", named("answer read"), wired(READERS[purpose as Purpose](answer)), payload.answer);
    const more: Json = { ...answer, more: 1 };
    await checks.refused("exchanges", named("a member more"), "message", () => READERS[purpose as Purpose](more));
    if (vector.suite === HYBRID) {
      const opened = await openEnvelope(vector.envelope, fromHex(server.seed));
      checks.same("exchanges", named("envelope"), opened, vector.payload);
    }
  }
  await checkBadExchanges(checks, vectors, fromHex(server.seed));
}

/** Of the bad requests this client can judge those that must not open; the rest is the server's to refuse. */
async function checkBadExchanges(checks: Checks, vectors: Vectors, seed: Uint8Array): Promise<void> {
  for (const { step, why, envelope } of hybrid(vectors.bad)) {
    if (step !== "open") continue;
    await checks.refused("exchanges", why, "hpke", () => openEnvelope(envelope, seed));
  }
  const { reply_key: replyKey, purpose, request, replies } = vectors.bad_replies;
  for (const { why, reply } of replies) {
    const opening = () => openReply(reply, fromHex(replyKey), purpose, fromHex(request));
    await checks.refused("exchanges", why, "reply", opening);
  }
}

async function openEnvelope(text: string, seed: Uint8Array): Promise<string> {
  const [first = "", second = ""] = text.split(".");
  const info = new TextEncoder().encode(`watchword/v1/envelope\0${first}`);
  return fromUtf8(await open(seed, info, new Uint8Array(Buffer.from(second, "base64url"))));
}

/** What a reader gave, as it stood on the wire. */
function wired(value: unknown): unknown {
  if (value instanceof Uint8Array) return b64u(value);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, wired(member)]));
}

async function checkKeyDocument(checks: Checks, vectors: Vectors): Promise<void> {
  const issuer = "https://id.example";
  const known = (entry: Vectors) => ({
    pinned: fromHex(vectors.pin),
    now: entry.now ?? vectors.now,
    lastNumber: entry.at_least ?? vectors.at_least,
    issuer,
  });
  for (const entry of vectors.good) {
    const found = await verifyKeyDocument(entry.document, known(entry));
    const root = [found.number, hex(found.fingerprint)];
    checks.same("key document", entry.what, root, [entry.payload.number, vectors.pin]);
    const [{ kid, public: key }] = hybrid(entry.payload.sealing);
    checks.same("key document", "sealing key", [found.sealing.kid, b64u(found.sealing.public)], [kid, key]);
  }
  for (const entry of vectors.bad) {
    const verifying = () => verifyKeyDocument(entry.document, known(entry));
    await checks.refused("key document", entry.why, `key-document/${entry.step}`, verifying);
  }
  const [{ document }] = vectors.good;
  const elsewhere = { ...known({}), issuer: "https://other.example" };
  const verifying = () => verifyKeyDocument(document, elsewhere);
  await checks.refused("key document", "of another server", "key-document/issuer", verifying);
  const wrongClocks = [vectors.now + YEAR, vectors.now - YEAR, vectors.now + 30 * YEAR];
  for (const now of wrongClocks) {
    const error = await verifyKeyDocument(document, { ...known({}), now }).catch((error) => error);
    checks.same("key document", `at ${now}`, error.byTime, true);
  }
  const stranger = { ...known({}), pinned: new Uint8Array(32) };
  const error = await verifyKeyDocument(document, stranger).catch((error) => error);
  checks.same("key document", "another root is no matter of time", error.byTime, false);
  const { pinned: _, ...first } = known({});
  const unpinned = await verifyKeyDocument(document, first);
  checks.same("key document", "first use", hex(unpinned.fingerprint), vectors.pin);
}

function checkPasswords(checks: Checks, vectors: Vectors): void {
  for (const { number, text, enforced } of vectors.passwords) {
    checks.same("rfc8265", `example ${number}`, enforcedOrNull(text), enforced);
  }
}

function enforcedOrNull(text: string): string | null {
  try {
    return prepareText(text);
  } catch (error) {
    if (error instanceof PasswordRefused) return null;
    throw error;
  }
}
