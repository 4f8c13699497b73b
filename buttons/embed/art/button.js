// The button of a foreign page: shows a badge, opens the click window, and counts up when that
// window says so. No cookie, no frame, no style, nothing kept on the page. BASE is filled in.
// Served shorter: address due parsed popup pressed draw pictures button link image told layout look event part place one said done seen
// Loading the script twice is harmless.
customElements.get("flattr-button") || (() => {
const address = "BASE", due = new Set, parsed = new Promise(done => document.readyState == "loading" ? addEventListener("DOMContentLoaded", done) : done());
let popup, pressed;
const draw = () => {
const pictures = {};
due.forEach(button => {
if (!button.link) {
const link = button.link = document.createElement("a");
link.append(button.image = new Image);
link.target = "_blank";
link.onclick = event => {
// A page may have changed its address without a reload.
due.add(pressed = button);
draw();
// A blocked window leaves the link to do its work, and so does a press for a new tab.
event.ctrlKey || event.metaKey || (popup = open(link.href, "flattr", "popup,width=420,height=640")) && event.preventDefault();
};
button.replaceChildren(link);
}
const link = button.link, image = button.image, told = new URLSearchParams([...button.attributes].map(said => [said.name, said.value])), layout = told.get("layout") || "", seen = button.seen || "";
link.href = told.get("url") || document.querySelector("link[rel=canonical]")?.href || document.URL.split("#")[0];
told.set("url", link.href);
link.href = address + "/submit/auto?" + told;
image.alt = "Flattr this " + seen;
[image.width, image.height] = /large/.test(layout) ? [55, 62] : /icon/.test(layout) ? [20, 20] : [110, 20];
(pictures[address + "/badge.svg?layout=" + layout + "&seen=" + seen + "&lang=" + button.closest("[lang]")?.lang] ||= []).push([image, "&url=" + encodeURIComponent(told.get("url"))]);
});
due.clear();
// Buttons that look alike share one picture, and each shows its own part of it.
for (const look in pictures) for (let part; (part = pictures[look].splice(0, 20))[0];) part.forEach(([image], place) => image.src = look + part.map(one => one[1]).join("") + "#" + place);
};
customElements.define("flattr-button", class extends HTMLElement {
static observedAttributes = ["user", "url", "title", "layout", "lang"];
connectedCallback() {
due.add(this);
parsed.then(draw);
}
attributeChangedCallback() {
this.connectedCallback();
}
});
addEventListener("message", ({ origin, source, data }) => {
if (origin == address && source == popup) {
// The window asks whether this page opened it: the very same goes back, to where it came from.
if (!data.type) return source.postMessage(data, address);
due.add(pressed);
pressed.seen = data.count;
draw();
pressed.dispatchEvent(new CustomEvent("flattr", { bubbles: true, detail: data }));
}
});
// The markup of 2010 is read by the script of 2010.
parsed.then(() => document.querySelector("a.FlattrButton") && import(address + "/js/0.6/load.js"));
})();
