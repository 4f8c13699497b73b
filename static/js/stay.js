// Keeps a window with the page that opened it. Signing in and paying cut a window off from its opener,
// so they get a tab of their own; this window waits for them, tells the page, and closes.
"use strict";
{
  if (opener) {
    for (const field of document.querySelectorAll("[data-has-opener]")) field.value = "1";
    for (const link of document.querySelectorAll("[data-elsewhere]")) {
      link.target = "_blank";
      link.addEventListener("click", () => setTimeout(() => location.replace("?waiting=1")));
    }
  }
}
