// New exchanges appear without a reload, and one that is streaming grows. Without this script
// every page is the same, once it is loaded again.
//
// The page is asked for again only when the server says that it would look different. What is
// the same stays as it is: scrolled, folded and focused as before. Nothing moves under a hand:
// while text is selected, a form is used or the pointer is on the page's charts and tables, a
// button says that there is news.

let live = document.querySelector("[data-news]");
const EVERY_MS = 2000;
const PATIENCE_MS = 30000;

const button = document.createElement("button");
button.className = "rp-news";
button.type = "button";
button.hidden = true;
button.setAttribute("aria-live", "polite");
button.addEventListener("click", () => refresh());

let stamp = live?.dataset.news;
let newest = Number(live?.dataset.newest);
let seen = newest;
let timer = 0;
let pointed = false;

function isBusy() {
  const focused = document.activeElement;
  return pointed
    || !getSelection().isCollapsed
    || (focused?.closest(".rp-page") && focused.matches("input, select, textarea, [tabindex]"));
}

// Make `old` like `fresh`, and leave alone what is the same already.
function update(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const is_other = old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName
    || old.namespaceURI !== "http://www.w3.org/1999/xhtml";
  if (is_other) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
  }
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((child, at) => { before[at] ? update(before[at], child) : old.append(child); });
  before.slice(after.length).forEach((child) => child.remove());
}

async function refresh() {
  const response = await fetch(location.href, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const [old, now] = [document, fresh].map((page) => page.querySelector(".rp-page"));
  if (!old || !now) return;
  update(old, document.adoptNode(now));
  button.hidden = true;
  const next = fresh.querySelector("[data-news]");
  if (!next) { // what streamed has ended
    live = null;
    return;
  }
  stamp = next.dataset.news;
  seen = Number(next.dataset.newest);
}

async function look() {
  const began = performance.now();
  let wait = EVERY_MS;
  try {
    const response = await fetch(live.dataset.url, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.status === 404) return;
    if (response.ok) {
      const news = await response.json();
      const has_ended = "inFlight" in live.dataset && !news.running;
      const is_new = news.stamp !== stamp || has_ended;
      newest = news.newest;
      if (is_new && isBusy()) {
        const more = newest - seen;
        button.textContent = more > 0 ? `${more} new ${more === 1 ? "exchange" : "exchanges"}` : "There is news";
        button.hidden = false;
      } else if (is_new) {
        await refresh();
      }
    }
  } catch {
    wait = 5 * EVERY_MS; // the server is gone, or slow: perhaps for a moment only
  }
  // A page that takes long to make is asked for less often.
  schedule(Math.max(wait, 10 * (performance.now() - began)));
}

function schedule(wait) {
  clearTimeout(timer);
  if (live && !document.hidden) timer = setTimeout(look, wait);
}

if (live) {
  document.body.append(button);
  for (const [name, is] of [["pointerover", true], ["pointerout", false]]) {
    document.addEventListener(name, (event) => {
      if (event.pointerType === "mouse" && event.target.closest?.(".rp-chart, .rp-scroll, .rp-table")) pointed = is;
    });
  }
  document.addEventListener("visibilitychange", () => schedule(0));
  schedule(EVERY_MS);
}
