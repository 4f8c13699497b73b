// Shows the parts of a page anew as its form is filled in; without a script, its button does that.
"use strict";
{
  const form = document.querySelector("form[data-live]");
  let latest = 0;
  form.addEventListener("change", async () => {
    const mine = ++latest;
    const address = `${location.pathname}?${new URLSearchParams(new FormData(form))}`;
    const answer = await fetch(address);
    if (!answer.ok || mine !== latest) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live-part]")) {
      part.replaceChildren(...fresh.getElementById(part.id).childNodes);
    }
    history.replaceState(null, "", address);
    document.dispatchEvent(new Event("shown"));
  });
}
