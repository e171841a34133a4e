/** What went wrong, and what to do next: at the form as a whole, or at one field. */

import type { Told } from "../flows/failure";
import { element, input, paragraph, say, sayFirst } from "./page";

/** `action` names the form, for what it alone says: "login". */
export function showProblem(told: Told, action: string): void {
  const place = element("problem");
  const title = document.createElement("strong");
  title.textContent = say("problem.title");
  const parts: Node[] = [
    title,
    paragraph(sayFirst(`problem.${told.code}_${action}`, `problem.${told.code}`, "problem.internal")),
  ];
  if (told.retryAfter !== undefined) parts.push(paragraph(waitFor(told.retryAfter)));
  if (told.requestId !== undefined) parts.push(requestLine(told.requestId));
  if (told.code === "outdated") parts.push(reloadButton());
  place.replaceChildren(...parts);
  place.hidden = false;
  place.scrollIntoView({ block: "nearest" }); // the button that was pressed may be a screen further down
}

/** As `said_wait` in `server/pages/moments.py`: rounded up, so that nobody comes too early. */
function waitFor(seconds: number): string {
  if (seconds <= 90) return say("script.wait_seconds", { count: seconds });
  if (seconds <= 5400) return say("script.wait_minutes", { count: Math.ceil(seconds / 60) });
  return say("script.wait_hours", { count: Math.ceil(seconds / 3600) });
}

export function clearProblem(): void {
  const place = element("problem");
  place.hidden = true;
  place.replaceChildren();
}

/** Say what is wrong with one field; "" takes it back. What nobody can type has no place for an error. */
export function showFieldError(name: string, text: string): void {
  const field = input(name);
  if (field.readOnly && document.getElementById(`${name}-error`) === null) return;
  if (text === "") field.removeAttribute("aria-invalid");
  else field.setAttribute("aria-invalid", "true");
  const place = element(`${name}-error`);
  if (place.textContent !== text) place.textContent = text;
}

function reloadButton(): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button";
  made.textContent = say("script.reload");
  made.addEventListener("click", () => window.location.reload());
  return made;
}

function requestLine(id: string): HTMLParagraphElement {
  const [before = "", after = ""] = say("script.request", { id: "\0" }).split("\0");
  const code = document.createElement("code");
  code.textContent = id;
  const line = document.createElement("p");
  line.append(before, code, after);
  return line;
}
