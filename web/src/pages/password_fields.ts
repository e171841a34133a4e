/** What helps with typing a password: seeing it, and knowing that Caps Lock is on. */

import { input, say } from "./page";

export function helpWithPasswords(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-show-password]")) {
    const name = button.dataset["showPassword"] ?? "";
    button.addEventListener("click", () => toggle(button, input(name)));
    watchCapsLock(input(name));
  }
}

function toggle(button: HTMLButtonElement, field: HTMLInputElement): void {
  const shown = field.type === "password";
  const word = say(shown ? "site.hide" : "site.show");
  const label = field.labels?.[0]?.textContent?.trim() ?? "";
  field.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
  button.setAttribute("aria-label", `${word}: ${label}`);
  button.textContent = word;
}

function watchCapsLock(field: HTMLInputElement): void {
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.setAttribute("role", "status");
  field.closest(".field")?.append(hint);
  const look = (event: Event) => {
    if (!(event instanceof KeyboardEvent)) return; // what a password manager fills in comes as another event
    const text = event.getModifierState("CapsLock") ? say("script.caps_lock") : "";
    if (hint.textContent !== text) hint.textContent = text;
  };
  field.addEventListener("keydown", look);
  field.addEventListener("keyup", look);
  field.addEventListener("blur", () => {
    hint.textContent = "";
  });
}
