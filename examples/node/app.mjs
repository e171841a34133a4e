// A service that knows who is calling, with nothing but `node:http` and `jose`. See the README beside it.
import { createServer } from "node:http";
import { Refusal, watchword } from "./watchword.mjs";

const issuer = process.env.WATCHWORD_ORIGIN ?? "https://localhost:8443";
const audience = process.env.APP_ORIGIN ?? "http://localhost:8000";
const caller = watchword({ issuer, audience });

const routes = {
  "/": async (request) => {
    const { preferred_username: hello, sub: account, level } = await caller(request);
    return { hello, account, level };
  },
  "/moderation": async (request) => {
    const { preferred_username: moderator } = await caller(request, { level: 2 });
    return { moderator };
  },
  "/health": async () => ({ ok: true }), // the one path for everybody
};

async function answer(request, response) {
  try {
    const route = routes[request.url.split("?", 1)[0]];
    if (route === undefined) await caller(request); // nothing is told about other paths
    send(response, route ? 200 : 404, route ? await route(request) : { code: "not_found" });
  } catch (error) {
    refuse(response, error instanceof Refusal ? error : new Refusal(500, "internal", "", { cause: error }));
  }
}

function refuse(response, { status, code, message, cause }) {
  if (cause) console.error(`${status}: ${cause}`);
  const error = { 400: "invalid_request", 401: cause && "invalid_token", 403: "insufficient_scope" }[status];
  if (status < 500) {
    const challenge = `Bearer realm="${audience}"`;
    response.setHeader("WWW-Authenticate", error ? `${challenge}, error="${error}"` : challenge);
  } else if (status === 503) {
    response.setHeader("Retry-After", "5");
  }
  send(response, status, { status, code, detail: message }, "application/problem+json");
}

function send(response, status, body, type = "application/json") {
  response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store" });
  response.end(JSON.stringify(body));
}

const { hostname, port } = new URL(audience);
createServer(answer).listen(Number(port || 80), hostname, () => console.log(`listening on ${audience}`));
