// Arms the buttons of the click window: only after they were visible for a while, and only for a
// fresh press. A page that slips this window under a double click gains nothing (double-clickjacking).
"use strict";
{
  for (const form of document.querySelectorAll("form[data-arm-ms]")) {
    const button = form.querySelector("[data-arm]");
    let timer = 0;
    let isFresh = false;
    let isInView = true;

    const disarm = () => {
      clearTimeout(timer);
      isFresh = false;
      button.disabled = true;
    };

    const arm = () => {
      disarm();
      if (document.visibilityState === "visible" && isInView) {
        timer = setTimeout(() => { button.disabled = false; }, Number(form.dataset.armMs));
      }
    };

    arm();
    document.addEventListener("visibilitychange", arm);
    addEventListener("resize", arm);
    new IntersectionObserver(([entry]) => {
      if (isInView !== entry.isIntersecting) {
        isInView = entry.isIntersecting;
        arm();
      }
    }, { threshold: 0.99 }).observe(button);

    // A disabled button is told of a pointer too, in newer browsers.
    button.addEventListener("pointerdown", (event) => { isFresh = event.isTrusted && !button.disabled; });
    button.addEventListener("click", (event) => {
      // A keyboard or a screen reader presses without a pointer: its click counts no clicks.
      if (!event.isTrusted || (event.detail > 0 && !isFresh)) event.preventDefault();
      isFresh = false;
    });
  }

  // A page restored from the browser's history carries a form that was sent: fetch a new one.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}
