// Tells the page that opened this window about its new count, and leaves after four seconds, unless
// somebody is about to do something here.
"use strict";
{
  const told = document.querySelector("[data-tell]");
  const back = document.querySelector("[data-back]");
  const { origin, url, count, leaveMs } = told.dataset;

  if (opener) {
    // Only to the very site of the thing, or to a frame of ours in it: another one has no business
    // knowing. A message for a site that is not there goes nowhere.
    for (const site of new Set([origin, location.origin])) {
      opener.postMessage({ type: "flattr", url, count: Number(count) }, site);
    }
    back.addEventListener("click", (event) => {
      event.preventDefault();
      close();
    });
  }

  if (leaveMs) {
    const timer = setTimeout(() => {
      if (opener) close();
      else location.assign(back.href);
    }, Number(leaveMs));
    for (const sign of ["pointerdown", "keydown"]) {
      addEventListener(sign, () => clearTimeout(timer), { once: true });
    }
  }
}
