/** The recovery key, shown this once: kept by its owner, who proves it by its ending, before the page goes on. */

import { isEndingOf, parseRecoveryKey } from "../protocol/recovery";
import { element, say, typed } from "./page";
import { showFieldError } from "./problem";

export function handOver(recoveryKey: string, username: string, goOn: () => void): void {
  element("recovery-key").textContent = recoveryKey;
  element("recovery-account").textContent = username; // on paper nothing else tells whose it is
  document.title = document.title.replace(/^.*(?= · )/, () => say("recovery.title"));
  element("registration").hidden = true;
  element("recovery").hidden = false;
  element("recovery-title").focus();
  window.addEventListener("beforeunload", hold);
  window.addEventListener("pagehide", forget);
  window.addEventListener("pageshow", ({ persisted }) => persisted && goOn());
  element("recovery-copy").addEventListener("click", () => void copy(recoveryKey));
  element("recovery-save").addEventListener("click", () => save(recoveryKey, username));
  element("recovery-print").addEventListener("click", () => window.print());
  element("ending").addEventListener("input", () => showFieldError("ending", ""));
  element("recovery-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (isEndingOf(parseRecoveryKey(recoveryKey), typed("ending"))) {
      window.removeEventListener("beforeunload", hold);
      goOn();
      return;
    }
    showFieldError("ending", say("recovery.ending_wrong"));
    element("ending").focus();
  });
}

/** A browser may keep the page as it was left, to show it again to whoever goes back: without the key, then. */
function forget(): void {
  window.removeEventListener("beforeunload", hold);
  element("recovery").remove(); // with the buttons that copy and save it, and the ending that was typed
}

function hold(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

async function copy(recoveryKey: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(recoveryKey);
    element("recovery-copy").textContent = say("recovery.copied");
  } catch {
    // Not allowed here: it is marked instead, to be copied by hand.
    window.getSelection()?.selectAllChildren(element("recovery-key"));
  }
}

function save(recoveryKey: string, username: string): void {
  const text = `${say("recovery.label")}: ${recoveryKey}\n${username}\n${window.location.origin}\n`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = `watchword-${window.location.hostname}.txt`;
  link.click();
  URL.revokeObjectURL(link.href);
}
