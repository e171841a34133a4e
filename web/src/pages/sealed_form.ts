/** A form whose submission is sealed by the worker: once at a time, with progress, and with errors where they belong. */

import type { FailureCode, Told } from "../flows/failure";
import type { Progress } from "../flows/progress";
import { AskFailed, type Client } from "./client";
import { element, input, say } from "./page";
import { clearProblem, showFieldError, showProblem } from "./problem";
import { ProgressBar } from "./progress_bar";

/** What no second attempt mends: it is said before a password is typed. */
const STANDS_IN_THE_WAY: ReadonlySet<FailureCode> = new Set(["not_trusted", "clock", "unsupported", "outdated"]);

export interface Sealed<T> {
  readonly id: string;
  /** For sentences of its own: `problem.refused_login`. */
  readonly action: string;
  /** Names of all its fields, in their order. */
  readonly fields: readonly string[];
  /** Those that no failure leaves filled in. */
  readonly secrets: readonly string[];
  /** Where the next step is when the server refuses. */
  readonly refusedAt: string;
  /** Where a reason of the password's belongs. */
  readonly newPassword: string;
  /** What is wrong before anything is sent, by field. */
  check(): Promise<ReadonlyMap<string, string>>;
  send(hear: (progress: Progress) => void): Promise<T>;
  /** It came about. The form stays as it is: a password manager looks at it when the page is left. */
  done(outcome: T): void;
}

export class SealedForm<T> {
  private readonly form: HTMLFormElement;
  private readonly button: HTMLButtonElement;
  private readonly bar = new ProgressBar();
  private attempt = 0;
  private busy = false;

  constructor(
    private readonly client: Client,
    private readonly sealed: Sealed<T>,
  ) {
    this.form = element<HTMLFormElement>(sealed.id);
    const button = this.form.querySelector<HTMLButtonElement>('button[type="submit"]');
    if (button === null) throw new Error("a form without a button");
    this.button = button;
    this.form.noValidate = true; // our own words, beside the fields
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.busy) void this.run();
    });
    for (const name of this.present()) input(name).addEventListener("input", () => showFieldError(name, ""));
    // Come back to by the browser's own means, as it was left: nothing of that attempt still runs.
    window.addEventListener("pageshow", ({ persisted }) => {
      if (persisted) this.reset();
    });
    this.form.querySelector("[data-late]")?.remove();
    button.disabled = false;
    afterFirstPaint(() => void this.warm());
  }

  /** Fetch and verify keys while somebody types. */
  private async warm(): Promise<void> {
    try {
      await this.client.ask("warm", {});
    } catch (error) {
      const told = toldOf(error);
      if (!STANDS_IN_THE_WAY.has(told.code)) return;
      this.button.disabled = true;
      showProblem(told, this.sealed.action);
    }
  }

  private async run(): Promise<void> {
    const attempt = ++this.attempt;
    this.setBusy(true);
    clearProblem();
    try {
      const wrong = await this.wrong();
      if (this.attempt !== attempt) return;
      if (wrong.size > 0) {
        this.setBusy(false);
        this.showWrong(wrong);
        return;
      }
      hidePasswords(this.sealed.secrets);
      this.bar.begin();
      const outcome = await this.sealed.send((progress) => {
        if (this.attempt === attempt) this.bar.hear(progress);
      });
      if (this.attempt === attempt) this.sealed.done(outcome);
    } catch (error) {
      if (this.attempt === attempt) this.fail(toldOf(error));
    }
  }

  private async wrong(): Promise<ReadonlyMap<string, string>> {
    const empty = this.present().filter((name) => input(name).required && input(name).value.trim() === "");
    if (empty.length > 0) return new Map(empty.map((name) => [name, say("script.required")]));
    return this.sealed.check();
  }

  private showWrong(wrong: ReadonlyMap<string, string>): void {
    for (const name of this.present()) showFieldError(name, wrong.get(name) ?? "");
    const first = this.present().find((name) => wrong.has(name));
    if (first !== undefined) input(first).focus();
  }

  /** What was typed stays, but for passwords; the focus goes where the next step is. */
  private fail(told: Told): void {
    this.setBusy(false);
    this.bar.end();
    for (const name of this.sealed.secrets) input(name).value = "";
    const reason = told.reason === undefined ? "" : say(`reason.${told.reason}`);
    if (reason !== "") {
      this.showWrong(new Map([[this.sealed.newPassword, reason]]));
      return;
    }
    input(told.code === "refused" ? this.sealed.refusedAt : (this.sealed.secrets[0] ?? "")).focus();
    showProblem(told, this.sealed.action);
  }

  private reset(): void {
    this.attempt++;
    this.setBusy(false);
    this.bar.end();
    clearProblem();
    for (const name of this.sealed.secrets) input(name).value = "";
  }

  /** The button keeps the focus, and the fields their values, which a password manager will want to see. */
  private setBusy(busy: boolean): void {
    this.busy = busy;
    this.form.setAttribute("aria-busy", String(busy));
    this.button.setAttribute("aria-disabled", String(busy));
    for (const name of this.present()) {
      const field = input(name);
      if (busy) field.dataset["was"] ??= String(field.readOnly);
      const was = field.dataset["was"];
      if (was === undefined) continue; // it was never busy
      field.readOnly = busy || was === "true";
      if (!busy) delete field.dataset["was"];
    }
  }

  private present(): readonly string[] {
    return this.sealed.fields.filter((name) => this.form.elements.namedItem(name) instanceof HTMLInputElement);
  }
}

function toldOf(error: unknown): Told {
  return error instanceof AskFailed ? error.told : { code: "internal" };
}

function hidePasswords(names: readonly string[]): void {
  for (const name of names) {
    if (input(name).type === "text") {
      document.querySelector<HTMLButtonElement>(`button[data-show-password="${name}"]`)?.click();
    }
  }
}

function afterFirstPaint(work: () => void): void {
  requestAnimationFrame(() => setTimeout(work));
}
