// Copies a snippet with one press; without a script, or without permission, it is selected by hand.
"use strict";
{
  const show = () => {
    for (const button of document.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
  };
  show();
  document.addEventListener("shown", show);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy).textContent;
    const label = button.textContent;
    button.textContent = await navigator.clipboard.writeText(text).then(() => "Copied", () => "Select it and copy");
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}
