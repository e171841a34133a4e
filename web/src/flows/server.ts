/** The server's end: requests as JSON, and its problem documents as failures. */

import { type Bytes, fromUtf8 } from "../bytes";
import { DEVICE_HEADER } from "../protocol/device_header";
import { isObject } from "../protocol/reading";
import { type Json, type JsonObject, encodeJson, parseJson } from "../strict_json";
import { Failure, SERVER_CODES, type ServerCode } from "./failure";

const MAX_ANSWER = 1 << 18; // bytes
const LIMIT = 30_000; // milliseconds for one request
const DEFAULT_WAIT = 5; // seconds
const MAX_WAIT = 86_400;
const REQUEST_ID = /^[A-Za-z0-9_-]{1,64}$/;
const SECONDS = /^[0-9]{1,9}$/;
const NAMED: ReadonlySet<string> = new Set(SERVER_CODES);

export interface Server {
  /** Where requests go: the origin of this page. */
  readonly origin: string;
  /** What the server calls itself: it stands in key document and envelopes. */
  readonly issuer: string;
}

/** What a request says of who sends it, where it does. */
export interface Proofs {
  readonly accessToken?: string | undefined;
  readonly deviceHeader?: string | undefined;
}

/** `POST` of `body`; the answer's JSON. Rejects with a `Failure`. */
export async function post(server: Server, path: string, body: JsonObject, proofs: Proofs): Promise<Json> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (proofs.accessToken !== undefined) headers["authorization"] = `Bearer ${proofs.accessToken}`;
  if (proofs.deviceHeader !== undefined) headers[DEVICE_HEADER] = proofs.deviceHeader;
  const answer = await ask(server, path, { method: "POST", headers, body: encodeJson(body), cache: "no-store" });
  return readJson(await readBody(answer, MAX_ANSWER));
}

/** `GET` of a text; `fresh` passes over what the browser has kept. */
export async function get(server: Server, path: string, fresh: boolean, proofs: Proofs = {}): Promise<string> {
  const headers = proofs.deviceHeader === undefined ? {} : { [DEVICE_HEADER]: proofs.deviceHeader };
  const answer = await ask(server, path, { headers, cache: fresh ? "no-cache" : "default" });
  const data = await readBody(answer, MAX_ANSWER);
  try {
    return fromUtf8(data);
  } catch {
    throw new Failure("unavailable");
  }
}

/** `GET` of a file of the pages', of at most `most` bytes. */
export async function getData(server: Server, path: string, most: number): Promise<ArrayBuffer> {
  return (await readBody(await ask(server, path, {}), most)).buffer;
}

async function ask(server: Server, path: string, request: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(server.origin + path, {
      ...request,
      redirect: "error",
      signal: AbortSignal.timeout(LIMIT),
    });
  } catch {
    throw new Failure("unreachable");
  }
  if (!answer.ok) throw await failureOf(answer);
  return answer;
}

async function readBody(answer: Response, most: number): Promise<Bytes> {
  let data: Bytes;
  try {
    data = new Uint8Array(await answer.arrayBuffer());
  } catch {
    throw new Failure("unreachable"); // it broke off: what came of it is not known
  }
  if (data.length > most) throw new Failure("unavailable");
  return data;
}

function readJson(data: Uint8Array): Json {
  try {
    return parseJson(data);
  } catch {
    throw new Failure("unavailable");
  }
}

/** The failure that a problem document names; `unavailable` for what is none of ours, such as a proxy's page. */
async function failureOf(answer: Response): Promise<Failure> {
  const problem = await readBody(answer, MAX_ANSWER).then(readJson, () => null);
  const named = isObject(problem) ? problem : {};
  const { code, request_id: id } = named as { code?: Json; request_id?: Json };
  const known = typeof code === "string" && NAMED.has(code) ? (code as ServerCode) : "unavailable";
  const requestId = typeof id === "string" && REQUEST_ID.test(id) ? id : undefined;
  return new Failure(known, { requestId, retryAfter: waitOf(answer, known) });
}

function waitOf(answer: Response, code: ServerCode): number | undefined {
  if (code !== "overloaded" && code !== "unavailable" && code !== "too_many") return undefined;
  const text = answer.headers.get("retry-after") ?? "";
  return SECONDS.test(text) ? Math.min(Math.max(Number(text), 1), MAX_WAIT) : DEFAULT_WAIT;
}
