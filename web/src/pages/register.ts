import { judgeDisplayName } from "../protocol/display_name";
import type { Verdict } from "../worker/messages";
import { Client } from "./client";
import { facts, goOn, input, say, typed } from "./page";
import { helpWithPasswords } from "./password_fields";
import { showFieldError } from "./problem";
import { handOver } from "./recovery_key";
import { SealedForm } from "./sealed_form";

const DASHBOARD = "/dashboard";
const WELCOME = "/dashboard?done=welcome";
const LOGIN = "/login";
const client = new Client();

/** What judges each field that has rules, mostly the worker, and where its sentences are. */
const RULES: Readonly<Record<string, { readonly texts: string; ask(): Promise<Verdict> }>> = {
  username: { texts: "name", ask: () => client.ask("judgeName", { username: typed("username").trim() }) },
  display_name: { texts: "name", ask: async () => ({ reason: judgeDisplayName(typed("display_name").trim()) }) },
  email: { texts: "name", ask: () => client.ask("judgeEmail", { email: typed("email").trim() }) },
  password: { texts: "reason", ask: judgePassword },
};

helpWithPasswords();
for (const name of Object.keys(RULES)) {
  // While somebody is still typing it is too early to complain; afterwards it is in time to mend.
  input(name).addEventListener("change", () => void judge(name).then((text) => showFieldError(name, text), () => null));
}

new SealedForm(client, {
  id: "register-form",
  action: "register",
  fields: ["invitation", "username", "display_name", "email", "password"],
  secrets: ["password"],
  refusedAt: "username",
  newPassword: "password",
  check: async () => {
    const judged = await Promise.all(Object.keys(RULES).map(async (name) => [name, await judge(name)] as const));
    return new Map(judged.filter(([, text]) => text !== ""));
  },
  send: (hear) =>
    client.ask(
      "register",
      {
        username: typed("username"),
        email: typed("email"),
        displayName: typed("display_name"),
        invitation: typed("invitation"),
        password: typed("password"),
        deviceName: facts.device,
      },
      hear,
    ),
  done: ({ username, recoveryKey, signedIn }) => {
    const further = facts.returnPath === DASHBOARD ? WELCOME : facts.returnPath;
    handOver(recoveryKey, username, () => goOn(signedIn ? further : LOGIN));
  },
});

/** What is wrong with what is typed, in words; "" for nothing. */
async function judge(name: string): Promise<string> {
  const rule = RULES[name];
  if (rule === undefined || typed(name) === "") return "";
  const { reason } = await rule.ask();
  return reason === null ? "" : say(`${rule.texts}.${reason}`);
}

function judgePassword(): Promise<Verdict> {
  const asked = { password: typed("password"), username: typed("username"), email: typed("email") };
  return client.ask("judge", asked);
}
