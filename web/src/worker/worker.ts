/**
 * The worker of every page: keys, hashing, sealing and requests happen here, so that a page stays responsive, and so
 * that only this script may compile the hashing module.
 */

import { change } from "../flows/change";
import type { Context } from "../flows/context";
import { told } from "../flows/failure";
import { currentKey } from "../flows/keys";
import { measurePace, timeOf } from "../flows/pace";
import { Way } from "../flows/progress";
import { register } from "../flows/register";
import { judge, judgeEmail, judgeName } from "../flows/rules";
import { logInWith } from "../flows/login";
import { openStore } from "../store/database";
import type { Store } from "../store/records";
import { alone } from "./alone";
import type { Ask, FromWorker, Outcome, ToWorker } from "./messages";

const scope = self as unknown as DedicatedWorkerGlobalScope;
let store: Promise<Store> | undefined;
let pace: Promise<number | undefined> | undefined;

scope.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  void answer(data);
};

async function answer({ id, ...asked }: ToWorker): Promise<void> {
  const say = (message: FromWorker) => scope.postMessage(message);
  try {
    const context = await contextFor(asked, (progress) => say({ id, ...progress }));
    say({ id, done: await perform(context, asked) });
  } catch (error) {
    say({ id, failed: told(error) });
  }
}

async function perform(context: Context, asked: Ask): Promise<Outcome[Ask["ask"]]> {
  switch (asked.ask) {
    case "warm":
      await Promise.all([currentKey(context), measured()]);
      return {};
    case "login":
      return alone(() => logInWith(context, asked));
    case "register":
      return alone(() => register(context, asked));
    case "change":
      return alone(() => change(context, asked));
    case "judge":
      return { reason: await judge(context.server, asked.password, asked.username, asked.email) };
    case "judgeName":
      return { reason: await judgeName(asked.username) };
    case "judgeEmail":
      return { reason: await judgeEmail(asked.email) };
  }
}

async function contextFor(asked: Ask, tell: ConstructorParameters<typeof Way>[0]): Promise<Context> {
  store ??= openStore();
  const known = await measured();
  return {
    server: { origin: scope.location.origin, issuer: asked.issuer },
    store: await store,
    now: () => Date.now(),
    way: new Way(tell, known === undefined ? undefined : timeOf(known)),
  };
}

function measured(): Promise<number | undefined> {
  pace ??= measurePace().catch(() => undefined);
  return pace;
}
