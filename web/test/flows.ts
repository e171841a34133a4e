/**
 * The flows of the pages in Node, against a real server, with a real store (in a database in memory). Told in JSON on
 * standard input where it is and who there is; answers what it found on standard output.
 */

import "fake-indexeddb/auto";

import { change } from "../src/flows/change";
import type { Context } from "../src/flows/context";
import { told } from "../src/flows/failure";
import { logInWith } from "../src/flows/login";
import { type Progress, Way } from "../src/flows/progress";
import { withPassword } from "../src/flows/password";
import { register } from "../src/flows/register";
import { enrol, logIn, signIn } from "../src/flows/sign_in";
import { openStore } from "../src/store/database";
import { judge, judgeEmail, judgeName } from "../src/flows/rules";
import type { DeviceRecord, Store } from "../src/store/records";
import { MemoryStore } from "../src/store/memory";
import { unwrap } from "../src/store/wrapping";

const asked = JSON.parse(await new Response(process.stdin as unknown as ReadableStream).text()) as {
  origin: string;
  password: string;
  next: string;
};
const { origin, password, next } = asked;
const found: Record<string, unknown> = {};
const heard: Progress[] = [];
const deviceName = "Node on a test";

function context(store: Store): Context {
  return {
    server: { origin, issuer: origin },
    store,
    now: () => Date.now(),
    way: new Way((progress) => heard.push(progress)),
  };
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => null,
    (error: unknown) => ({ ...told(error), requestId: told(error).requestId !== undefined }),
  );
}

async function record(store: Store, identifier: string): Promise<DeviceRecord> {
  const kept = await store.find(identifier);
  if (kept === undefined) throw new Error(`no record of ${identifier}`);
  return kept;
}

async function secretOf(kept: DeviceRecord): Promise<string> {
  const bound = { origin, account: kept.account, what: "client-key" } as const;
  return Buffer.from(await unwrap(kept.wrapping, kept.clientKey, bound)).toString("hex");
}

const store = await openStore();
const ada = { username: "ada", email: "Ada@example.org", displayName: "Ada", invitation: "", password, deviceName };

found["registered"] = await register(context(store), ada);
const first = await record(store, "ADA ");
found["kept"] = {
  byAddress: (await record(store, "ada@example.org")).device === first.device,
  extractable: [first.signing, first.messageSigning, first.wrapping].map(({ extractable }) => extractable),
  pinned: (await store.trust())?.fingerprint.length,
};

heard.length = 0;
const [plainFetch, proofs] = [globalThis.fetch, [] as unknown[]];
globalThis.fetch = (async (address: string, options?: RequestInit) => {
  proofs.push([new URL(address).pathname, new Headers(options?.headers).get("watchword-device")]);
  return plainFetch(address, options);
}) as typeof fetch;
found["known"] = await logInWith(context(store), { identifier: " ada", password, deviceName });
globalThis.fetch = plainFetch;
found["proofs"] = { sent: proofs, clientKey: await secretOf(first), seedVersion: first.seedVersion, device: first.device };
found["progress"] = heard.map(({ progress, part, until }) => [progress, part, until]);
found["sameDevice"] = (await record(store, "ada")).device === first.device;
found["wrong"] = await failure(logInWith(context(store), { identifier: "ada", password: `${password}!`, deviceName }));
const doubted = await record(store, "ada");
found["keptAfterWrong"] = doubted.device === first.device && doubted.doubted;
found["unknown"] = await failure(logInWith(context(store), { identifier: "nobody", password, deviceName }));

// A server that has forgotten the device: here, a record that names another.
await store.keep({ ...first, device: "dev_00000000000000000000000000" });
const byAddress = { identifier: "ada@example.org", password, deviceName };
found["doubted"] = await failure(logInWith(context(store), byAddress));
await logInWith(context(store), byAddress);
const anew = await record(store, "ada");
found["enrolledAnew"] = anew.device !== first.device && anew.device !== "dev_00000000000000000000000000";

// Another kind of a record that cannot be used: one that lost its keys.
const { signing: _, ...keyless } = anew;
await store.keep(keyless as DeviceRecord);
found["damaged"] = (await store.find("ada")) === undefined;
await store.keep(anew);

// An answer about another account: here, to a record that names another, and to an enrolment for another.
const stranger = { ...anew, account: "acc_00000000000000000000000000" };
const unknowing = new MemoryStore();
await store.keep(stranger);
found["ofAnother"] = await withPassword(password, async (stretcher) => {
  const person = { identifier: "ada", deviceName, password: stretcher };
  const known = await failure(signIn(context(store), person));
  const { temporary_token: token = "" } = (await logIn(context(unknowing), person)).answer;
  const enrolment = { account: stranger.account, typed: "ada", deviceName };
  const enrolled = await failure(enrol(context(unknowing), token, enrolment));
  return [known, enrolled];
});
found["keptOfAnother"] = {
  known: Buffer.from((await record(store, "ada")).clientKey.data).equals(anew.clientKey.data),
  enrolled: (await unknowing.find("ada")) !== undefined,
};
await store.keep(anew);

// A window that keeps nothing.
const memory = new MemoryStore();
await logInWith(context(memory), { identifier: "ada", password, deviceName });
found["inMemory"] = (await record(memory, "ada")).device !== anew.device;

const before = await secretOf(anew);
const weak = { identifier: "ada", current: password, next: "short", deviceName };
found["weak"] = await failure(change(context(store), weak));
found["wrongCurrent"] = await failure(change(context(store), { ...weak, current: `${password}!`, next }));
await change(context(store), { ...weak, next });
const after = await record(store, "ada");
found["changed"] = {
  key: (await secretOf(after)) !== before,
  version: after.seedVersion - anew.seedVersion,
  device: after.device === anew.device,
};
// Another server under this name: its root is not the one that was pinned.
const trust = await store.trust();
const other = new MemoryStore();
if (trust !== undefined) await other.keepTrust({ ...trust, fingerprint: new Uint8Array(32) });
found["otherRoot"] = await failure(logInWith(context(other), { identifier: "ada", password: next, deviceName }));
const rolledBack = new MemoryStore();
if (trust !== undefined) await rolledBack.keepTrust({ ...trust, number: trust.number + 1 });
found["oldDocument"] = await failure(logInWith(context(rolledBack), { identifier: "ada", password: next, deviceName }));

// Tabs at once: one record is left, and it works.
found["new"] = await Promise.all(
  [1, 2].map(() => logInWith(context(store), { identifier: "ada", password: next, deviceName })),
);
found["tabs"] = (await record(store, "ada")).device === after.device;

/** Let the server answer, and lose it; or lose the request. */
async function without<T>(path: string, lost: "request" | "answer", work: () => Promise<T>): Promise<T> {
  const real = globalThis.fetch;
  let left = 1;
  globalThis.fetch = (async (address: string, options?: RequestInit) => {
    if (!address.endsWith(path) || left-- <= 0) return real(address, options);
    if (lost === "answer") await (await real(address, options)).arrayBuffer();
    throw new TypeError("the line broke");
  }) as typeof fetch;
  try {
    return await work();
  } finally {
    globalThis.fetch = real;
  }
}

const bob = { ...ada, username: "bob", email: "" };
const made = await without("/api/register", "answer", () => register(context(store), bob));
found["lostRegistration"] = {
  username: made.username,
  signedIn: made.signedIn,
  opens: (await record(store, "bob")).seedVersion > 0,
};
const turn = { identifier: "bob", current: password, next, deviceName };
found["neverSent"] = await without("/api/password", "request", () => failure(change(context(store), turn)));
found["lostChange"] = await without("/api/password", "answer", () => failure(change(context(store), turn)));

/** Let the server's place be taken, so many times, by somebody who answers with a problem. */
async function answering<T>(times: number, path: string, code: string, work: () => Promise<T>): Promise<T> {
  const real = globalThis.fetch;
  let left = times;
  globalThis.fetch = (async (address: string, options?: RequestInit) => {
    if (!address.endsWith(path) || left-- <= 0) return real(address, options);
    const problem = { type: "about:blank", title: "no", status: 409, code, request_id: "req_1" };
    return new Response(JSON.stringify(problem), { status: 409, headers: { "retry-after": "17" } });
  }) as typeof fetch;
  try {
    return await work();
  } finally {
    globalThis.fetch = real;
  }
}

const again = () => failure(logInWith(context(store), { identifier: "bob", password: next, deviceName }));
const BEGIN = "/api/login/begin";
found["once"] = [await answering(1, BEGIN, "begin_again", again), await answering(1, BEGIN, "key_unknown", again)];
found["twice"] = [
  await answering(2, BEGIN, "begin_again", again),
  await answering(2, BEGIN, "key_unknown", again),
  await answering(1, BEGIN, "overloaded", again),
  await answering(1, BEGIN, "no_such_code", again),
];

const { server } = context(store);
found["names"] = [
  await judgeName("a"),
  await judgeName("grace"),
  await judgeEmail("grace"),
  await judgeEmail("grace@example.org"),
];
found["passwords"] = [
  await judge(server, "passwordpassword", "ada", ""),
  await judge(server, "ada-lovelace-1815", "ada-lovelace", ""),
  await judge(server, password, "ada", ""),
];

// The browser takes the database away, and gives it again at the second time of asking; then too late, then in time.
await new Promise((resolve) => (indexedDB.deleteDatabase("watchword").onsuccess = resolve));
const kept = () => store.trust().then((trust) => trust?.number ?? null, (error: Error) => error.message);
const refuses = () => {
  Reflect.deleteProperty(indexedDB, "open");
  throw new Error("not now");
};
Object.defineProperty(indexedDB, "open", { value: refuses, configurable: true });
found["reopened"] = [await kept(), await kept()];
await new Promise((resolve) => (indexedDB.deleteDatabase("watchword").onsuccess = resolve));
const closed = new Promise((resolve) => {
  const close = IDBDatabase.prototype.close;
  IDBDatabase.prototype.close = function (this: IDBDatabase) {
    close.call(this);
    IDBDatabase.prototype.close = close;
    resolve("closed");
  };
});
const wait = globalThis.setTimeout;
globalThis.setTimeout = ((run: () => void) => {
  globalThis.setTimeout = wait;
  run();
}) as unknown as typeof setTimeout;
found["late"] = [await kept(), await closed, await kept()];

process.stdout.write(JSON.stringify(found));
process.exit(0);
