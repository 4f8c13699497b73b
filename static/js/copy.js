// Copies a snippet with one press; without a script, or without permission, it is selected by hand.
"use strict";
{
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      const label = button.textContent;
      button.textContent = await navigator.clipboard.writeText(text).then(() => "Copied", () => "Select it and copy");
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }
}
