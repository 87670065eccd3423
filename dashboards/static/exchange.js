// What the page of one exchange does better with a script. All of it can be read without.

// Copy a command: its text, and nothing that is not shown.
for (const button of document.querySelectorAll("button[data-copies]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it";
      getSelection().selectAllChildren(document.getElementById(button.dataset.copies));
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

// Follow a stream: by slider (pointer or keyboard), by its marks in the chart, or as it was played.
const follow = document.querySelector(".rp-follow");
if (follow) {
  const steps = JSON.parse(follow.dataset.steps);
  const said = Array.from(follow.querySelector(".rp-said").textContent);
  const slider = follow.querySelector("input");
  const button = follow.querySelector("button");
  const text = follow.querySelector(".rp-follow-text");
  const where = follow.querySelector(".rp-follow-at");
  const marks = new Map();
  for (const mark of follow.parentElement.querySelectorAll('svg [aria-label^="chunk "]')) {
    marks.set(Number.parseInt(mark.getAttribute("aria-label").slice(6), 10), mark);
  }
  const numbers = new Map(steps.map(([seq], index) => [seq, index]));
  let lit = null;
  let playing = 0;

  const time = (ms) => (ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`);

  function goTo(index) {
    const [seq, at, length] = steps[index];
    slider.value = index;
    text.textContent = said.slice(0, length).join("");
    text.scrollTop = text.scrollHeight;
    where.textContent = `chunk ${seq} · ${time(at)}`;
    slider.setAttribute("aria-valuetext", `chunk ${seq}, ${time(at)}, ${length} characters: ${said.slice(Math.max(0, length - 80), length).join("")}`);
    lit?.classList.remove("rp-at");
    lit = marks.get(seq);
    lit?.classList.add("rp-at");
  }

  function stop() {
    cancelAnimationFrame(playing);
    playing = 0;
    button.textContent = "Play";
  }

  function play() {
    let index = Number(slider.value) >= steps.length - 1 ? 0 : Number(slider.value);
    const zero = performance.now() - (index ? steps[index][1] : 0);
    button.textContent = "Pause";
    if (!index) text.textContent = "";
    const step = (now) => {
      const before = index;
      while (index < steps.length && steps[index][1] <= now - zero) index += 1;
      if (index > before) goTo(index - 1);
      if (index < steps.length) playing = requestAnimationFrame(step);
      else stop();
    };
    playing = requestAnimationFrame(step);
  }

  button.addEventListener("click", () => (playing ? stop() : play()));
  slider.addEventListener("input", () => { stop(); goTo(Number(slider.value)); });
  follow.parentElement.addEventListener("pointerover", (event) => {
    const mark = event.target.closest?.('svg [aria-label^="chunk "]');
    const seq = mark && Number.parseInt(mark.getAttribute("aria-label").slice(6), 10);
    if (!playing && numbers.has(seq)) goTo(numbers.get(seq));
  });
  slider.max = steps.length - 1;
  follow.hidden = false;
  goTo(steps.length - 1);
}
