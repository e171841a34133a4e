import { Client } from "./client";
import { facts, goOn, say, typed } from "./page";
import { helpWithPasswords } from "./password_fields";
import { SealedForm } from "./sealed_form";

const CHANGED = "/dashboard?done=password-changed";
const client = new Client();

helpWithPasswords();
new SealedForm(client, {
  id: "password-form",
  action: "password",
  fields: ["username", "current", "next"],
  secrets: ["current", "next"],
  refusedAt: "current",
  newPassword: "next",
  check: async () => {
    const asked = { password: typed("next"), username: typed("username"), email: "" };
    const { reason } = await client.ask("judge", asked);
    return new Map(reason === null ? [] : [["next", say(`reason.${reason}`)]]);
  },
  send: (hear) => {
    const [identifier, current, next] = [typed("username"), typed("current"), typed("next")];
    return client.ask("change", { identifier, current, next, deviceName: facts.device }, hear);
  },
  done: () => goOn(CHANGED),
});
