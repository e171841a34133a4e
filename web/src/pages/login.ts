import { Client } from "./client";
import { facts, forgetDone, goOn, typed } from "./page";
import { helpWithPasswords } from "./password_fields";
import { SealedForm } from "./sealed_form";

const client = new Client();

forgetDone();
helpWithPasswords();
new SealedForm(client, {
  id: "login-form",
  action: "login",
  fields: ["identifier", "password"],
  secrets: ["password"],
  refusedAt: "password",
  newPassword: "password",
  check: async () => new Map(),
  send: (hear) => {
    const [identifier, password] = [typed("identifier"), typed("password")];
    return client.ask("login", { identifier, password, deviceName: facts.device }, hear);
  },
  done: () => goOn(facts.returnPath),
});
