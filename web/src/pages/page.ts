/** What the server wrote into the page for its script: facts, texts, and the elements that templates promise. */

export interface Facts {
  /** Path of the worker's script. */
  readonly worker: string;
  /** What the server calls itself. */
  readonly origin: string;
  /** What this browser is called in the list of devices: "Firefox on Linux". */
  readonly device: string;
  /** Where to go when all is done: a path of this server, which has checked it. */
  readonly returnPath: string;
}

type Values = Readonly<Record<string, string | number>>;

export const facts = block<Facts>("facts");
const texts = block<Record<string, string>>("texts");
const plurals = new Intl.PluralRules(document.documentElement.lang);

/** The sentence of this key in the reader's language, with its `{names}` filled in; "" where there is none. */
export function say(key: string, values: Values = {}): string {
  const found = texts[key] ?? texts[`${key}.${plurals.select(Number(values["count"] ?? 0))}`] ?? "";
  return found.replace(/\{([a-z_]+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The first of these keys that has a sentence. */
export function sayFirst(...keys: readonly string[]): string {
  return keys.map((key) => say(key)).find((text) => text !== "") ?? "";
}

/** The element that the template has; its absence is a fault of ours. */
export function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as T;
}

export function input(name: string): HTMLInputElement {
  return element<HTMLInputElement>(name);
}

/** What is typed in a field; "" where this page does not have it. */
export function typed(name: string): string {
  const found = document.getElementById(name);
  return found instanceof HTMLInputElement ? found.value : "";
}

export function paragraph(text: string): HTMLParagraphElement {
  const made = document.createElement("p");
  made.textContent = text;
  return made;
}

/** What was done was done once: a reload does not say it again. */
export function forgetDone(): void {
  const here = new URL(window.location.href);
  if (!here.searchParams.has("done")) return;
  here.searchParams.delete("done");
  window.history.replaceState(null, "", here);
}

/** Leave the page for good: what was typed here is not found by going back. */
export function goOn(path: string): void {
  window.location.replace(path);
}

function block<T>(id: string): T {
  return JSON.parse(document.getElementById(id)?.textContent ?? "{}") as T;
}
