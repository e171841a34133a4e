/** The dashboard works without any of this. */

const moments = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

for (const time of document.querySelectorAll<HTMLTimeElement>("time[data-when]")) {
  const instant = new Date(time.dateTime);
  if (!Number.isNaN(instant.getTime())) time.textContent = moments.format(instant);
}

for (const form of document.querySelectorAll<HTMLFormElement>("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset["sent"] !== undefined) event.preventDefault();
    form.dataset["sent"] = "";
  });
}

// What was done was done once: a reload does not say it again.
const here = new URL(window.location.href);
if (here.searchParams.has("done")) {
  here.searchParams.delete("done");
  window.history.replaceState(null, "", here);
}

// Come back to after signing out, a kept page would show what is no longer this person's to see.
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) window.location.reload();
});
