// Who is calling: checks an access token of Watchword with the stock library `jose`. Copy this file into your service.
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const LONGEST = 8192; // characters; the server's tokens have about 700
const CLAIMS = ["sub", "preferred_username", "sid", "device", "level", "exp", "iat", "nbf"];
const MAX_LIFE = 3600; // seconds
// The key set could not be had: our trouble, not the caller's.
const NO_KEYS = new Set(["ERR_JWKS_TIMEOUT", "ERR_JWKS_INVALID", "ERR_JOSE_GENERIC"]);

/** What a request is refused with. Why a token failed is for our log, never for the caller. */
export class Refusal extends Error {
  constructor(status, code, message, options) {
    super(message, options);
    this.status = status;
    this.code = code;
  }
}

/**
 * Returns `caller(request, { level })`: the claims of the token that came with a request, or a `Refusal`.
 * `issuer` is the server's origin, `audience` that of your service. Keys are fetched when the first token comes.
 */
export function watchword({ issuer, audience }) {
  const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", issuer), {
    timeoutDuration: 2_000,
    cooldownDuration: 30_000,
    cacheMaxAge: 3_600_000,
  });
  const expected = {
    issuer,
    audience,
    algorithms: ["ES256"], // never what the token says
    typ: "at+jwt", // nothing else that the server signs is a token
    requiredClaims: CLAIMS,
    clockTolerance: 60,
    maxTokenAge: MAX_LIFE, // and not issued in the future
  };

  return async function caller(request, { level = 0 } = {}) {
    const claims = await verified(bearer(request), keys, expected);
    if (claims.level < level) throw new Refusal(403, "forbidden", `level ${level} is needed`);
    return claims;
  };
}

function bearer(request) {
  const found = request.headersDistinct.authorization ?? [];
  if (found.length > 1) throw new Refusal(400, "malformed", "more than one Authorization header");
  const token = /^Bearer ([^ ]+)$/i.exec(found[0] ?? "")?.[1];
  if (token === undefined) throw new Refusal(401, "unauthenticated", "no token");
  if (token.length > LONGEST) throw invalid("too long");
  return token;
}

async function verified(token, keys, expected) {
  let claims;
  try {
    ({ payload: claims } = await jwtVerify(token, keys, expected));
  } catch (error) {
    if (!(error instanceof errors.JOSEError) || NO_KEYS.has(error.code)) {
      const why = error.cause?.code ?? error.code ?? error.message;
      const cause = `the keys could not be fetched: ${why}`;
      throw new Refusal(503, "unavailable", "who is calling cannot be checked now", { cause });
    }
    throw invalid(error.message);
  }
  if (typeof claims.aud !== "string") throw invalid("an audience is one text, no list");
  if (claims.exp - claims.iat > MAX_LIFE) throw invalid("lives too long");
  if (!Number.isInteger(claims.level) || claims.level < 0 || claims.level > 9) throw invalid("not a level");
  // Bound to a key of the caller: as a bearer token it was copied from somewhere.
  if (claims.cnf !== undefined) throw invalid("a bound token without its proof");
  return claims;
}

function invalid(why) {
  return new Refusal(401, "unauthenticated", "the token is not good", { cause: why });
}
