/** What page and worker say to each other (docs/design/0003-browser.md). */

import type { ChangeAsked } from "../flows/change";
import type { Told } from "../flows/failure";
import type { LoginAsked } from "../flows/login";
import type { Progress } from "../flows/progress";
import type { RegisterAsked, Registered } from "../flows/register";

interface To<Name extends string> {
  readonly ask: Name;
  /** What the server calls itself. */
  readonly issuer: string;
}

export type Warm = To<"warm">;

export interface Login extends To<"login">, LoginAsked {}

export interface Register extends To<"register">, RegisterAsked {}

export interface Change extends To<"change">, ChangeAsked {}

export interface Judge extends To<"judge"> {
  readonly password: string;
  readonly username: string;
  readonly email: string;
}

export interface JudgeName extends To<"judgeName"> {
  readonly username: string;
}

export interface JudgeEmail extends To<"judgeEmail"> {
  readonly email: string;
}

export type Ask = Warm | Login | Register | Change | Judge | JudgeName | JudgeEmail;

export interface Verdict {
  /** A `PasswordReason` or `NameReason`; null for what is good. */
  readonly reason: string | null;
}

/** What each of them resolves to. */
export interface Outcome {
  warm: Record<string, never>;
  login: { readonly username: string };
  register: Registered;
  change: Record<string, never>;
  judge: Verdict;
  judgeName: Verdict;
  judgeEmail: Verdict;
}

export type ToWorker = Ask & { readonly id: number };

export type FromWorker =
  | { readonly id: number; readonly done: Outcome[keyof Outcome] }
  | { readonly id: number; readonly failed: Told }
  | ({ readonly id: number } & Progress);
