/** The server's keys: fetched, verified under the root that was pinned when this browser first came here. */

import { equal } from "../bytes";
import { ProtocolError } from "../errors";
import { type VerifiedKeys, verifyKeyDocument } from "../protocol/key_document";
import type { Trust } from "../store/records";
import type { Context } from "./context";
import type { MakeHeader } from "./exchange";
import { Failure, isFailure } from "./failure";
import { patiently } from "./patience";
import { get } from "./server";

const PATH = "/.well-known/watchword-keys";

/** What to seal to. */
export type Recipient = VerifiedKeys["sealing"];

/**
 * Run a sealed exchange to the server's current key; once more if the server no longer has that key. The device whose
 * `header` it is gets the keys where its address is banned, too.
 */
export async function toServer<T>(
  context: Context,
  attempt: (to: Recipient) => Promise<T>,
  header?: MakeHeader,
): Promise<T> {
  try {
    return await attempt(await currentKey(context, header));
  } catch (error) {
    if (!isFailure(error, "key_unknown")) throw error;
    return attempt(await fetched(context, true, header));
  }
}

/** The key to seal to. A document that the browser has kept may be older than one that another tab has seen since. */
export async function currentKey(context: Context, header?: MakeHeader): Promise<Recipient> {
  try {
    return await fetched(context, false, header);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return fetched(context, true, header);
  }
}

async function fetched(context: Context, fresh: boolean, header: MakeHeader | undefined): Promise<Recipient> {
  const document = await patiently(async () =>
    get(context.server, PATH, fresh, { deviceHeader: await header?.("GET", PATH) }),
  );
  return (await accept(context, document)).sealing;
}

/** Verify a key document, and remember its number; pin its root at the first use. Rejects with `not_trusted`. */
export async function accept({ server, store, now }: Context, document: string): Promise<VerifiedKeys> {
  const { issuer } = server;
  const pinned = await store.trust();
  if (pinned !== undefined && pinned.issuer !== issuer) throw new Failure("not_trusted");
  const lastNumber = pinned?.number ?? 0;
  const known = { pinned: pinned?.fingerprint, now: now(), lastNumber, issuer };
  const verified = await verifyKeyDocument(document, known);
  const seen = { issuer, fingerprint: verified.fingerprint, number: verified.number };
  if (!same(await store.keepTrust(seen), seen)) throw new Failure("not_trusted"); // another tab pinned another root
  return verified;
}

function same(kept: Trust, seen: Trust): boolean {
  return kept.issuer === seen.issuer && equal(kept.fingerprint, seen.fingerprint);
}
