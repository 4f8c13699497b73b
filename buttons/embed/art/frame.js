// What a frame of the old addresses does: opens the click window, and tells the page around it.
(() => {
const link = document.querySelector("a"), close = document.querySelector("button");
const tell = event => parent.postMessage('{"flattr_button_event":"' + event + '"}', "*");
let popup;
link.onclick = event => {
event.ctrlKey || event.metaKey || (popup = open(link.href, "flattr", "popup,width=420,height=640")) && event.preventDefault();
};
if (close) close.onclick = () => tell("popout_close_button_clicked");
addEventListener("message", ({ origin, source, data }) => {
if (origin != location.origin || source != popup || data.type != "flattr") return;
tell("click_successful");
const again = new URL(location);
again.searchParams.set("seen", data.count);
location.replace(again);
});
})();
