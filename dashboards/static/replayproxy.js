// Small things that pages do better with a script. All of them work without.

// A menu that is a form by itself; what is not chosen is not in the URL.
for (const menu of document.querySelectorAll("select[data-submits]")) {
  menu.addEventListener("change", () => {
    const chosen = [...new FormData(menu.form)].filter(([, value]) => value);
    location.assign(`${menu.form.action}?${new URLSearchParams(chosen)}`);
  });
}

// Datasette 1.0 has an inline handler there, which the Content-Security-Policy refuses.
for (const button of document.querySelectorAll("[data-opens-columns]")) {
  button.addEventListener("click", () => window.openColumnChooser?.());
}

// Marks of charts say what they are in their aria-label: show it beside the pointer, as text.
const tip = document.createElement("div");
tip.className = "rp-tip";
tip.hidden = true;
document.body.append(tip);

function markAt(event) {
  const chart = event.target.closest?.(".rp-chart svg");
  return chart ? event.target.closest("[aria-label][aria-roledescription]") : null;
}

function show(event) {
  const mark = markAt(event);
  const says = mark?.getAttribute("aria-label");
  const is_mark = says && !["axis", "group mark container", "legend"].includes(mark.getAttribute("aria-roledescription"));
  tip.hidden = !is_mark;
  if (!is_mark) return;
  tip.textContent = says;
  const box = mark.getBoundingClientRect();
  const x = event.clientX ?? box.left;
  const y = event.clientY ?? box.top;
  tip.style.left = `${Math.max(8, Math.min(x + 12, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(8, y - tip.offsetHeight - 12)}px`;
}

document.addEventListener("pointermove", show);
document.addEventListener("focusin", show);
document.addEventListener("focusout", () => { tip.hidden = true; });
