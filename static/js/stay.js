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

  // Where nobody can be known, a press could only fail: say so before it.
  const inSandbox = self.origin === "null";
  // A browser that blocks them may call them enabled, so one is tried, and taken back at once.
  const keepsCookies = () => {
    document.cookie = "flattr_try=1; SameSite=Lax; path=/submit";
    const isKept = document.cookie.includes("flattr_try=1");
    document.cookie = "flattr_try=; path=/submit; max-age=0";
    return isKept;
  };
  // Reading a cookie in a sandbox throws.
  if (document.querySelector("[data-needs-session]") && (inSandbox || !keepsCookies())) {
    for (const form of document.querySelectorAll("[data-needs-session]")) form.hidden = true;
    for (const note of document.querySelectorAll(inSandbox ? "[data-in-sandbox]" : "[data-without-cookies]")) note.hidden = false;
  }
}
