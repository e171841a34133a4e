/** The dashboard works without any of this. */

import { forgetDone } from "./page";

const { lang } = document.documentElement;
/** The page's language as this reader writes dates in it: en-GB where the page is English. */
const locale = navigator.languages.find((language) => language.split("-")[0] === lang) ?? lang;
const moments = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

for (const time of document.querySelectorAll<HTMLTimeElement>("time[data-when]")) {
  const instant = new Date(time.dateTime);
  if (!Number.isNaN(instant.getTime())) time.textContent = moments.format(instant);
}

forgetDone();

// Come back to after signing out, a kept page would show what is no longer this person's to see.
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) window.location.reload();
});
