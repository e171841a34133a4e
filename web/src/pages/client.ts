/** The page's end of the worker: asks, hears how far it is, gets what came of it. */

import type { FailureCode, Told } from "../flows/failure";
import { isOutdated } from "../flows/outdated";
import type { Progress } from "../flows/progress";
import type { Ask, FromWorker, Outcome } from "../worker/messages";
import { facts } from "./page";
import { isSupported } from "./supported";

const SILENCE = 120_000; // milliseconds in which a worker that was asked says nothing at all

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

type Details<Name extends Ask["ask"]> = Omit<Extract<Ask, { ask: Name }>, "ask" | "issuer">;

interface Waiting {
  readonly resolve: (done: never) => void;
  readonly reject: (failed: AskFailed) => void;
  readonly hear: (progress: Progress) => void;
}

export class AskFailed extends Error {
  override readonly name = "AskFailed";

  constructor(readonly told: Told) {
    super(told.code);
  }
}

export class Client {
  private worker: Worker | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private count = 0;
  private silence = 0;

  /** Rejects with an `AskFailed`. */
  async ask<Name extends Ask["ask"]>(
    ask: Name,
    details: Details<Name>,
    hear: (progress: Progress) => void = () => undefined,
  ): Promise<Outcome[Name]> {
    if (!(await isSupported())) throw new AskFailed({ code: "unsupported" });
    return new Promise((resolve, reject) => {
      const id = ++this.count;
      this.waiting.set(id, { resolve, reject, hear });
      try {
        this.worker ??= this.start();
        this.worker.postMessage({ ...details, ask, id, issuer: facts.origin });
        this.expectWord();
      } catch {
        this.fail("internal");
      }
    });
  }

  private start(): Worker {
    const worker = new Worker(scriptUrl(facts.worker), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.take(data);
    // Its script did not arrive: whoever asks again gets a new one.
    worker.onerror = () => void this.lost(worker);
    return worker;
  }

  private take(message: FromWorker): void {
    this.expectWord();
    const waiting = this.waiting.get(message.id);
    if ("progress" in message) {
      waiting?.hear(message);
      return;
    }
    this.waiting.delete(message.id);
    if ("done" in message) waiting?.resolve(message.done as never);
    else waiting?.reject(new AskFailed(message.failed));
  }

  /** Its script may hang on the way: nobody is left waiting without end. */
  private expectWord(): void {
    window.clearTimeout(this.silence);
    this.silence = window.setTimeout(() => {
      if (this.waiting.size > 0) this.fail("unreachable");
    }, SILENCE);
  }

  private async lost(worker: Worker): Promise<void> {
    const code = (await isOutdated(facts.worker)) ? "outdated" : "unreachable";
    if (this.worker === worker) this.fail(code);
  }

  private fail(code: FailureCode): void {
    this.worker?.terminate();
    this.worker = undefined;
    const all = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject } of all) reject(new AskFailed({ code }));
  }
}

/** The one script that this page may load by its address: the policy makes no other. */
function scriptUrl(path: string): string {
  const wanted = new URL(path, window.location.origin);
  if (wanted.origin !== window.location.origin || !wanted.pathname.startsWith("/assets/")) throw new Error("not ours");
  const { trustedTypes } = window as unknown as { trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return wanted.href;
  policy ??= trustedTypes.createPolicy("watchword", { createScriptURL: (url) => url });
  return policy.createScriptURL(wanted.href);
}

let policy: ReturnType<TrustedTypes["createPolicy"]> | undefined;
