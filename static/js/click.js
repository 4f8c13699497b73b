// Records by itself on a trusted site, once the page that opened this window has answered from that
// very origin. Whatever cannot be checked leaves the press, which is armed meanwhile.
"use strict";
{
  const form = document.querySelector("form[data-click-from]");
  const expected = form.dataset.clickFrom;
  const question = crypto.randomUUID();
  const asked = opener;

  // Only the button's script answers, and only a window that its own page opened for this click.
  const hear = (event) => {
    if (event.source !== asked || event.origin !== expected || event.data !== question) return;
    removeEventListener("message", hear);
    form.submit();
  };

  // A framed page may lie under anything, and so may one in a window that another page opened.
  const isPlain = () => asked && asked === asked.top && asked.opener === null;
  // A page that comes back from the history was asked before.
  const isFresh = performance.getEntriesByType("navigation")[0]?.type === "navigate";

  if (self === top && isFresh && isPlain()) {
    addEventListener("message", hear);
    asked.postMessage(question, expected);
    setTimeout(() => removeEventListener("message", hear), 2000);
  }
}
