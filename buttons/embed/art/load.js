// The loader of pages made for Flattr: /js/0.5/load.js, /js/0.6/load.js and /button/load.js, with the
// markup, the functions and the globals that they describe. In place of a frame for each button it
// draws a link around a badge, so nothing else is loaded before a press. BASE is filled in.
// Served shorter: address scriptParams buttonParams settings waiting popup pressed clean complete draw pictures described legacy loadedFrom
window.FlattrLoader ||= (() => {
const address = "BASE", scriptParams = ["mode", "https", "uid", "category", "button", "language", "html5-key-prefix", "popout"];
const buttonParams = ["uid", "owner", "category", "button", "language", "hidden", "tags", "title", "url", "description", "revsharekey", "popout"];
const settings = {};
let waiting = [], popup, pressed;
const ready = code => document.readyState == "loading" ? addEventListener("DOMContentLoaded", code) : code();
const clean = said => String(said).replace(/<(?!br\s*\/?>)[^>]*>/gi, "").replace(/\s+/g, " ").trim();
const size = data => ({ compact: [110, 20], flat: [110, 20], icon: [20, 20] })[data.button] || [55, 62];
const encodeData = data => buttonParams.map(key => data[key] == null || data[key] === "" ? "" : key + "=" + encodeURIComponent(clean(data[key]).slice(0, key == "description" ? 1000 : 2048)) + "&").join("");
const getParam = (key, rest) => settings[key] || rest;
// Last come first in the page's own order: what it says of one button wins over the script's defaults.
const complete = said => {
const data = {};
["uid", "button", "language", "category", "popout"].forEach(key => data[key] = settings[key]);
buttonParams.forEach(key => { if (said[key] != null && clean(said[key])) data[key] = clean(said[key]); });
data.url = data.url || document.URL.split("#")[0];
return data;
};
// Buttons that look alike share one picture, and each shows its own part of it.
const draw = () => {
const pictures = {};
waiting.forEach(one => (pictures[one[0]] ||= []).push(one));
waiting = [];
for (const look in pictures) for (let part; (part = pictures[look].splice(0, 20))[0];) part.forEach((one, place) => one[1].src = look + part.map(all => all[2]).join("") + "#" + place);
};
const show = (image, data, rest) => {
waiting.length || Promise.resolve().then(draw);
const layout = { compact: "compact", flat: "flat", icon: "icon" }[data.button] || "large";
waiting.push([address + "/badge.svg?layout=" + layout + "&lang=" + encodeURIComponent(data.language || "") + rest, image, "&url=" + encodeURIComponent(data.url)]);
};
const createButton = data => {
const link = document.createElement("a"), image = new Image;
[image.width, image.height] = size(data);
image.alt = link.title = "Flattr this";
link.className = "FlattrLink";
link.target = "_blank";
link.href = address + "/submit/auto?" + encodeData(data).slice(0, -1);
link.onclick = event => {
pressed = { link, image, data };
event.ctrlKey || event.metaKey || (popup = open(link.href, "flattr", "popup,width=420,height=640")) && event.preventDefault();
};
link.append(image);
show(image, data, "");
return link;
};
const createIframe = data => {
const frame = document.createElement("iframe");
[frame.width, frame.height] = size(data);
frame.className = "FlattrButton";
frame.title = "Flattr";
frame.src = address + "/button/view/?" + encodeData(data);
["frameBorder", "marginWidth", "marginHeight"].forEach(key => frame.setAttribute(key, 0));
frame.setAttribute("scrolling", "no");
frame.setAttribute("allowTransparency", "true");
return frame;
};
const described = element => {
const told = { url: element.href, title: element.title, language: element.lang, description: element.innerHTML };
const words = [element.rev, element.rel].find(said => /^flattr/i.test(said || ""));
let prefix = getParam("html5-key-prefix", "data-flattr").replace(/-?$/, "-");
if (prefix.slice(0, 5) != "data-") prefix = "data-flattr-";
if (words) words.slice(7).split(";").forEach(part => {
const [key, ...rest] = part.split(":");
if (clean(rest.join(":"))) told[key.trim().toLowerCase()] = rest.join(":");
});
else for (const attribute of element.attributes) if (attribute.name.indexOf(prefix) == 0) told[attribute.name.slice(prefix.length)] = attribute.value;
return told;
};
const loadButton = element => element.replaceWith(createButton(complete(described(element))));
const setup = () => [...document.querySelectorAll("a.FlattrButton")].reverse().forEach(loadButton);
// What pages of 2010 set before they loaded the script.
const legacy = () => {
const { flattr_uid, flattr_url, FLATTR_URL, flattr_btn, flattr_hide, flattr_cat, flattr_tag, flattr_lng, flattr_tle, flattr_dsc } = window;
return { uid: flattr_uid, url: flattr_url || FLATTR_URL, button: flattr_btn, hidden: flattr_hide === true || flattr_hide == "true" ? 1 : "", category: flattr_cat, tags: flattr_tag, language: flattr_lng, title: flattr_tle, description: flattr_dsc };
};
const render = (options, target, position) => {
const button = createButton(complete(options || legacy()));
const where = typeof target == "string" ? document.getElementById(target) : target;
if (position == "before") where.before(button);
else if (position == "replace") where.replaceWith(button);
else where.append(button);
};
// Each time the script is loaded, its own address says what to do: `mode=auto` reads the markup,
// `direct` draws one button in its place, and anything else waits to be called.
const begin = own => {
const parts = own ? new URL(own.src || "/", document.baseURI) : { pathname: "", search: "?mode=auto" };
const ours = !own || /\/load\.js$/.test(parts.pathname);
if (ours) parts.search.slice(1).split("&").forEach(part => {
const [key, value] = part.split("=");
if (scriptParams.includes(key)) settings[key] = value;
});
const mode = ours && (getParam("mode") || (parts.pathname == "/button/load.js" ? "direct" : ""));
if (/^auto(matic)?$/.test(mode)) ready(setup);
if (mode == "direct") render(null, own, "before");
};
addEventListener("message", ({ origin, source, data }) => {
if (origin != address || source != popup) return;
// The window asks whether this page opened it: the very same goes back, to where it came from.
if (!data.type) return source.postMessage(data, address);
pressed.image.alt = "Flattr this " + data.count;
show(pressed.image, pressed.data, "&seen=" + data.count);
pressed.link.dispatchEvent(new CustomEvent("flattr", { bubbles: true, detail: data }));
// What the frames of old told the page.
postMessage('{"flattr_button_event":"click_successful"}', "*");
});
return { setup, render, loadButton, createIframe, getParam, encodeData, begin, addLoadEvent: ready, domReady: ready };
})();
FlattrLoader.begin(document.currentScript);
