/** What the modules make, for Python to open; and what Python made, opened by them. */

import { b64u, fromHex, hex, randomBytes, utf8 } from "../src/bytes";
import { generateSigningKey, publicBytes, publicOfSeed, sign } from "../src/crypto/ed25519";
import { HYBRID } from "../src/crypto/hpke";
import { generateSeed, publicOf } from "../src/crypto/xwing";
import {
  type Chest,
  newChest,
  newChestKey,
  openChest,
  recoverChest,
  renewed,
  sealChest,
  wipeChest,
  wrapChestKey,
} from "../src/protocol/chest";
import { proveDevice } from "../src/protocol/device_proof";
import { type Purpose, openReply, sealEnvelope } from "../src/protocol/envelope";
import { verifyKeyDocument } from "../src/protocol/key_document";
import type { LoginKind, LoginSplit } from "../src/protocol/messages";
import { prepare } from "../src/protocol/password_rules";
import {
  formatRecoveryKey,
  isEndingOf,
  newRecoveryKey,
  parseRecoveryKey,
  recoverySecret,
} from "../src/protocol/recovery";
import { FLOOR, SALT_SIZE, split } from "../src/protocol/split";
import type { JsonObject } from "../src/strict_json";
import type { Checks } from "./checks";

/** See `asked` in tests/kits/browser_modules.py. */
export interface Asked {
  readonly issuer: string;
  readonly recipient: { readonly kid: string; readonly public: string };
  readonly shortKey: string;
  readonly password: string;
  readonly chest: AskedChest;
  readonly replies: readonly AskedReply[];
  readonly keyDocument: { readonly document: string; readonly pin: string; readonly now: number };
}

interface AskedChest {
  readonly version: number;
  readonly sealed: string;
  readonly wrapped_key: string;
  readonly recovery_wrapped: string;
  readonly kind: LoginKind;
  readonly wrappingKey: string;
  readonly recoveryKey: string;
  readonly contents: JsonObject;
}

interface AskedReply {
  readonly purpose: Purpose;
  readonly replyKey: string;
  readonly digest: string;
  readonly sealed: string;
  readonly answer: JsonObject;
}

export async function openMade(checks: Checks, asked: Asked): Promise<void> {
  for (const { purpose, replyKey, digest, sealed, answer } of asked.replies) {
    const found = await openReply(sealed, fromHex(replyKey), purpose, fromHex(digest));
    checks.same("python's", `answer to ${purpose}`, found, answer);
  }
  const { document, pin, now } = asked.keyDocument;
  const known = { pinned: fromHex(pin), now, lastNumber: 0, issuer: asked.issuer };
  const keys = await verifyKeyDocument(document, known);
  checks.same("python's", "key document", keys.sealing.kid, asked.recipient.kid);
  checks.same("python's", "sealing key", hex(keys.sealing.public), asked.recipient.public);
  await openItsChest(checks, asked.chest);
  await checkRecoveryKeys(checks, asked.chest.recoveryKey);
}

async function openItsChest(checks: Checks, asked: AskedChest): Promise<void> {
  const key = fromHex(asked.wrappingKey);
  checks.same("chest", "opened", contents(await openChest(asked, key, asked.kind)), asked.contents);
  const recovered = await recoverChest(asked, parseRecoveryKey(asked.recoveryKey));
  checks.same("chest", "recovered", contents(recovered), asked.contents);
  const other: LoginKind = asked.kind === "username" ? "email" : "username";
  await checks.refused("chest", "another's wrapping", "chest", () => openChest(asked, key, other));
  await checks.refused("chest", "another key", "chest", () => openChest(asked, randomBytes(32), asked.kind));
  const rolledBack = { ...asked, version: asked.version + 1 };
  await checks.refused("chest", "another version", "chest", () => openChest(rolledBack, key, asked.kind));
  await checks.refused("chest", "another recovery key", "chest", () => recoverChest(asked, newRecoveryKey()));
  wipeChest(recovered);
  checks.same("chest", "wiped", recovered.identity.some(Boolean), false);
}

async function checkRecoveryKeys(checks: Checks, text: string): Promise<void> {
  const key = parseRecoveryKey(text);
  checks.same("recovery key", "written", formatRecoveryKey(key), text);
  const typed = [text.toLowerCase(), ` ${text.replaceAll("-", " ")} `, text.replaceAll("-", "")];
  typed.push(text.replaceAll("1", "l").replaceAll("0", "o"), text.replaceAll("1", "I").replaceAll("0", "O"));
  for (const spelling of typed) checks.same("recovery key", spelling, hex(parseRecoveryKey(spelling)), hex(key));
  for (const bad of ["", text.slice(1), `${text}0`, text.replace(/^./, "U"), text.replace(/^./, "ı")]) {
    await checks.refused("recovery key", bad, "recovery-key", () => parseRecoveryKey(bad));
  }
  const ending = text.slice(-4);
  const endings = [ending, ending.toLowerCase(), ` ${ending} `].map((typed) => isEndingOf(key, typed));
  endings.push(isEndingOf(key, ending.slice(1)), isEndingOf(key, text), isEndingOf(key, ""));
  checks.same("recovery key", "its ending", endings, [true, true, true, false, false, false]);
}

/** Everything that a client of ours sends, and the secrets with which Python holds it to its word. */
export async function make(asked: Asked): Promise<JsonObject> {
  const recovery = newRecoveryKey();
  const chest = await newChest(recovery);
  const account = await madeSplits(asked.password, chest);
  const older = await openChest(asked.chest, fromHex(asked.chest.wrappingKey), asked.chest.kind);
  const next = await madeSplits(asked.password, renewed(older), ["username"]);
  return {
    recovery_key: formatRecoveryKey(recovery),
    chest: contents(chest),
    account,
    renewed: next,
    device: await madeDevice(),
    exchanges: await madeExchanges(asked, account, next, b64u(await recoverySecret(recovery))),
  };
}

type Splits = Awaited<ReturnType<typeof madeSplits>>;

async function madeSplits(password: string, chest: Chest, kinds: LoginKind[] = ["username", "email"]) {
  const chestKey = newChestKey();
  const logins: LoginSplit[] = [];
  const wrapping: Record<string, string> = {};
  for (const kind of kinds) {
    const salt = randomBytes(SALT_SIZE);
    const { loginSecret, wrappingKey } = await split(prepare(password), salt, FLOOR);
    wrapping[kind] = hex(wrappingKey);
    logins.push({
      kind,
      salt: b64u(salt),
      stretch: FLOOR,
      login_secret: b64u(loginSecret),
      wrapped_chest_key: await wrapChestKey(chestKey, wrappingKey, kind),
    });
  }
  return { logins, wrapping, body: await sealChest(chest, chestKey) };
}

async function madeDevice() {
  const [signing, sealing] = [randomBytes(32), generateSeed()];
  const pair = await generateSigningKey();
  return {
    signing_seed: hex(signing),
    signing: hex(await publicOfSeed(signing)),
    sealing_seed: hex(sealing),
    sealing: hex(await publicOf(sealing)),
    generated: hex(await publicBytes(pair.publicKey)),
    generated_signed: hex(await sign(pair.privateKey, utf8("watchword"))),
    extractable: pair.privateKey.extractable,
  };
}

async function madeExchanges(asked: Asked, account: Splits, next: Splits, recoverySecretText: string) {
  const [login] = account.logins;
  const proved = { identifier: "ada", login_secret: login?.login_secret ?? "" };
  const key = await generateSigningKey();
  const signing = b64u(await publicBytes(key.publicKey));
  const other = b64u(await publicBytes((await generateSigningKey()).publicKey));
  const payloads: Record<Purpose, JsonObject> = {
    begin: { purpose: "login", identifier: "ada" },
    login: { ...proved, browser: true },
    register: {
      username: "ada",
      email: "ada@example.org",
      display_name: "Ada ✓",
      logins: account.logins,
      chest: account.body,
      recovery_secret: recoverySecretText,
    },
    enrol: {
      credential: `wtt_${b64u(randomBytes(48))}`,
      device_name: "Firefox on Linux",
      browser: true,
      keys: { signing, message_signing: other, sealing: b64u(await publicOf(generateSeed())) },
    },
    password: { ...proved, logins: next.logins, chest: next.body },
  };
  const made: JsonObject[] = [];
  for (const [purpose, members] of Object.entries(payloads) as [Purpose, JsonObject][]) {
    made.push({ ...(await madeExchange(asked, purpose, members, key.privateKey)), signing });
  }
  return made;
}

async function madeExchange(asked: Asked, purpose: Purpose, members: JsonObject, key: CryptoKey) {
  const payload = { ...members, reply_key: b64u(randomBytes(32)) };
  const needsShortKey = purpose !== "begin" && purpose !== "enrol";
  const { envelope, digest } = await sealEnvelope({
    purpose,
    suite: HYBRID,
    kid: asked.recipient.kid,
    issuer: asked.issuer,
    ...(needsShortKey ? { shortKey: asked.shortKey } : {}),
    recipient: fromHex(asked.recipient.public),
    payload,
  });
  return { purpose, envelope, digest: hex(digest), payload, signature: await proveDevice(key, digest) };
}

/** As `_Contents` in Python's chest spells it, secrets in base64url. */
function contents(chest: Chest): JsonObject {
  return {
    version: chest.version,
    identity: b64u(chest.identity),
    archive: chest.archive.map(({ generation, seed }) => ({ generation, seed: b64u(seed) })),
    recovery_key: b64u(chest.recoveryKey),
  };
}

export async function checkSealing(checks: Checks, asked: Asked): Promise<void> {
  const to = {
    suite: HYBRID,
    kid: asked.recipient.kid,
    issuer: asked.issuer,
    recipient: fromHex(asked.recipient.public),
  } as const;
  const payload = { identifier: "ada" };
  const refusals = [
    ["no short key", { ...to, purpose: "login", payload }],
    ["a short key too many", { ...to, purpose: "begin", payload, shortKey: asked.shortKey }],
    ["a payload too large", { ...to, purpose: "begin", payload: { identifier: "a".repeat(49_152) } }],
  ] as const;
  for (const [why, sealing] of refusals) await checks.refused("sealing", why, "envelope", () => sealEnvelope(sealing));
  const lone = { ...to, purpose: "begin", payload: { identifier: "\ud800" } } as const;
  await checks.refused("sealing", "half a character", "text", () => sealEnvelope(lone));
  const weak = { ...to, purpose: "begin", payload, recipient: new Uint8Array(1216) } as const;
  await checks.refused("sealing", "a key that is none", "hpke", () => sealEnvelope(weak));
}
