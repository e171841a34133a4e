/** What opens under the right key and is not of the form all the same. */

import { b64u, fromB64u, randomBytes, utf8 } from "../src/bytes";
import { derive } from "../src/crypto/hkdf";
import { openJwe, sealJwe } from "../src/crypto/jwe";
import { checkPublic, generateSeed, publicOf } from "../src/crypto/xwing";
import { newChest, newChestKey, openChest, sealChest, wrapChestKey } from "../src/protocol/chest";
import { openReply } from "../src/protocol/envelope";
import { newRecoveryKey } from "../src/protocol/recovery";
import { type JsonObject, encodeJson } from "../src/strict_json";
import type { Checks } from "./checks";

export async function checkForged(checks: Checks): Promise<void> {
  await checkReplies(checks);
  await checkChests(checks);
  await checkJweParts(checks);
  await checkCoefficients(checks);
}

async function checkReplies(checks: Checks): Promise<void> {
  const [replyKey, digest] = [randomBytes(32), randomBytes(32)];
  const key = await derive(replyKey, "reply", utf8("begin"));
  const sealed = (reply: JsonObject) => sealJwe(encodeJson(reply), key, { kid: "begin", typ: "watchword-reply+jwe" });
  const opened = async (reply: JsonObject) => openReply(await sealed(reply), replyKey, "begin", digest);
  const req = b64u(digest);
  checks.same("forged", "a good reply", await opened({ req, answer: { a: 1 } }), { a: 1 });
  const bad: Record<string, JsonObject> = {
    "a member more": { req, answer: {}, more: 1 },
    "no answer": { req },
    "an answer that is a list": { req, answer: [] },
    "an answer that is nothing": { req, answer: null },
    "no request": { answer: {} },
    "a request that is a number": { req: 1, answer: {} },
    "a request cut": { req: req.slice(0, -2), answer: {} },
  };
  for (const [why, reply] of Object.entries(bad)) await checks.refused("forged", why, "reply", () => opened(reply));
}

async function checkChests(checks: Checks): Promise<void> {
  const [chestKey, wrappingKey] = [newChestKey(), randomBytes(32)];
  const chest = await newChest(newRecoveryKey());
  const good = {
    identity: b64u(chest.identity),
    archive: chest.archive.map(({ generation, seed }) => ({ generation, seed: b64u(seed) })),
    recovery_key: b64u(chest.recoveryKey),
  };
  const wrapped_key = await wrapChestKey(chestKey, wrappingKey, "email");
  const opened = async (contents: JsonObject) => {
    const sealed = await sealJwe(encodeJson(contents), chestKey, { kid: "3", typ: "watchword-chest+jwe" });
    return openChest({ version: 3, sealed, wrapped_key }, wrappingKey, "email");
  };
  checks.same("forged", "a good chest", (await opened(good)).version, 3);
  const bad: Record<string, JsonObject> = {
    "a recovery key that is none": { ...good, recovery_key: b64u(new Uint8Array(1216)) },
    "no archive key": { ...good, archive: [] },
    "a member more in a chest": { ...good, more: 1 },
    "a short identity": { ...good, identity: b64u(new Uint8Array(31)) },
  };
  for (const [why, contents] of Object.entries(bad)) {
    await checks.refused("forged", why, "chest", () => opened(contents));
  }
  await checks.refused("forged", "nothing to renew", "chest", () => sealChest({ ...chest, archive: [] }, chestKey));
}

/** Ciphertext and tag are one text to the cipher: where one ends is ours to say. */
async function checkJweParts(checks: Checks): Promise<void> {
  const [key, kind] = [randomBytes(32), { kid: "a", typ: "b" }];
  const [header, none, nonce, ciphertext = "", tag = ""] = (await sealJwe(utf8("123456"), key, kind)).split(".");
  const moved = [header, none, nonce, ciphertext.slice(0, 4), ciphertext.slice(4) + tag].join(".");
  await checks.refused("forged", "a tag that begins early", "jwe", () => openJwe(moved, key, kind, 4096));
  const joined = fromB64u(ciphertext + tag);
  const late = [header, none, nonce, b64u(joined.subarray(0, 9)), b64u(joined.subarray(9))].join(".");
  await checks.refused("forged", "a tag that begins late", "jwe", () => openJwe(late, key, kind, 4096));
}

/** Two coefficients of 12 bits in three bytes: 3,328 is the largest that is one. */
async function checkCoefficients(checks: Checks): Promise<void> {
  const key = await publicOf(generateSeed());
  const beginning = (...bytes: number[]) => Uint8Array.of(...bytes, ...key.subarray(3));
  checkPublic(beginning(0x00, 0x0d, 0xd0));
  const bad = { first: beginning(0x01, 0x0d, 0x00), second: beginning(0x00, 0x10, 0xd0) };
  for (const [place, data] of Object.entries(bad)) {
    await checks.refused("forged", `${place} coefficient`, "hpke", () => checkPublic(data));
  }
}
