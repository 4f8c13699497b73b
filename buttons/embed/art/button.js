// The button of a foreign page: shows a badge, opens the click window, and counts up when that
// window says so. No cookie, no frame, no style, nothing kept on the page. BASE is filled in, and
// lines are joined as they are, so each one ends where a statement may.
(() => {
const base = "BASE", doc = document, name = "flattr-button";
// Loading the script twice is harmless.
customElements.get(name) || customElements.define(name, class extends HTMLElement {
connectedCallback() {
const button = this;
if (button.link) return;
const told = new URLSearchParams(button.told || [...button.attributes].map(said => [said.name, said.value]));
const url = new URL(told.get("url") || doc.querySelector("link[rel=canonical]")?.href || location.href.split("#")[0], doc.baseURI);
told.set("url", url);
const link = button.link = doc.createElement("a"), image = new Image;
const badge = base + "/badge.svg?" + new URLSearchParams({ url, layout: told.get("layout") || told.get("button") });
link.href = base + "/submit/auto?" + told;
link.target = "_blank";
image.src = badge;
image.alt = "Flattr this";
link.append(image);
button.replaceChildren(link);
let popup;
link.onclick = event => {
// A blocked window leaves the link to do its work, and so does a press for a new tab.
event.ctrlKey || event.metaKey || (popup = open(link.href, name, "popup,width=420,height=640")) && event.preventDefault();
};
addEventListener("message", ({ origin, source, data }) => {
if (popup && origin == base && source == popup) {
// The window asks whether this page opened it: the very same goes back, to where it came from.
if (!data.type) return source.postMessage(data, base);
image.src = badge + "&seen=" + data.count;
image.alt = "Flattr this, " + data.count;
button.dispatchEvent(new CustomEvent("flattr", { bubbles: true, detail: data }));
}
});
}
});
// The markup of 2010: `a.FlattrButton`, described by rev, rel or data-flattr-….
const takeOver = () => doc.querySelectorAll("a.FlattrButton").forEach(old => {
const button = doc.createElement(name);
const told = button.told = { url: old.href, title: old.title, description: old.textContent };
const text = old.rev || old.rel;
if (/^flattr;/i.test(text)) text.slice(7).split(";").forEach(part => {
const [name, ...rest] = part.split(":");
told[name.trim()] = rest.join(":");
});
else for (const key in old.dataset) told[key.replace(/^flattr/, "").toLowerCase()] = old.dataset[key];
old.replaceWith(button);
});
doc.readyState == "loading" ? addEventListener("DOMContentLoaded", takeOver) : takeOver();
})();
