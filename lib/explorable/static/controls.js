// ---- the controls of a widget: native elements, a row or two for each ----

function make(tag, properties = {}, attributes = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/* A row has the `parts` of its line (and `more` for a second one), `input` to focus, `last` index,
   `set(k)` to show a position, `toggle()` to play or pause, `stop()`. `change(k)` is called for
   each move of the reader; while `waiting()`, a slow picture sets the pace. */
function makeRow(control, id, change, waiting) {
  const label = make("label", { innerHTML: control.label, htmlFor: id });
  const kinds = { choice: makeMenu, switch: makeTick, slider: makeSlider, stepper: makeStepper };
  const row = kinds[control.kind]({ ...control, id, label, change, waiting });
  // not every screen reader finds a name in a label that is all formula
  if (label.querySelector("math")) row.input.setAttribute("aria-label", label.textContent);
  return row;
}

function makeMenu({ texts, id, label, change }) {
  const input = make("select", { id });
  input.append(...texts.map((text) => new Option(text)));
  input.onchange = () => change(input.selectedIndex);
  const set = (k) => { input.selectedIndex = k; };
  return { parts: [label, input], input, last: texts.length - 1, set, stop() {} };
}

function makeTick({ id, label, change }) {
  const input = make("input", { id, type: "checkbox" });
  input.onchange = () => change(Number(input.checked));
  const set = (k) => { input.checked = Boolean(k); };
  return { parts: [label, input], input, last: 1, set, stop() {} };
}

function makeRange({ texts, id, label, change }) {
  const last = texts.length - 1;
  const input = make("input", { id, type: "range", min: 0, max: last, step: 1 });
  const value = make("output", { htmlFor: id }, { "aria-live": "off" });
  value.style.minWidth = `${Math.max(...texts.map((t) => t.length))}ch`;
  input.oninput = () => change(Number(input.value));
  let before = 0;
  input.onpointerdown = () => { before = Number(input.value); };
  input.onpointercancel = () => change(before); // the finger scrolls the page instead
  function set(k) {
    input.value = k;
    input.style.setProperty("--filled", `${(100 * k) / last}%`);
    input.setAttribute("aria-valuetext", texts[k]);
    value.textContent = texts[k];
  }
  return { parts: [label, input, value], input, last, set };
}

/* Plays from the present position to the last one, `pace()` milliseconds a step. */
function makePlayer(row, name, change, waiting, pace) {
  const button = make("button", { type: "button", className: "explore-play" });
  let timer = 0;
  const picture = (sign, does) => {
    button.textContent = sign;
    button.setAttribute("aria-label", `${does} ${name}`);
  };
  const at = () => Number(row.input.value);
  function stop() {
    clearTimeout(timer);
    timer = 0;
    picture("▶", "Play");
  }
  function step() {
    timer = setTimeout(step, pace());
    if (waiting()) return;
    if (at() < row.last) change(at() + 1);
    if (at() === row.last) stop();
  }
  function toggle() {
    if (timer) return stop();
    if (still()) return change(Math.min(at() + 1, row.last)); // one step is no motion
    if (at() === row.last) change(0);
    picture("❚❚", "Pause");
    timer = setTimeout(step, pace());
  }
  button.onclick = toggle;
  stop();
  return { button, stop, toggle };
}

function makeSlider(control) {
  const { change, waiting, label } = control;
  let player;
  const row = makeRange({ ...control, change: (k) => { player?.stop(); change(k); } });
  if (row.last < 5) return { ...row, stop() {} };
  const pace = Math.min(500, Math.max(120, 6000 / row.last));
  player = makePlayer(row, label.textContent, change, waiting, () => pace);
  return { ...row, parts: [...row.parts, player.button], stop: player.stop, toggle: player.toggle };
}

const SPEEDS = [["0.5×", 2000], ["1×", 1000], ["2×", 500], ["4×", 250]]; // milliseconds a step

function makeStepper(control) {
  const { texts, change, waiting, label } = control;
  const last = texts.length - 1;
  const shown = texts.map((text, k) => (text === String(k) ? `${k} of ${last}` : text));
  let player;
  const go = (k) => { player?.stop(); change(Math.max(0, Math.min(last, k))); };
  const row = makeRange({ ...control, texts: shown, change: go });
  const name = label.textContent;
  const button = (sign, does, k) => make(
    "button",
    { type: "button", textContent: sign, onclick: () => go(k(Number(row.input.value))) },
    { "aria-label": `${does} ${name}` },
  );
  const speed = make("select", { className: "explore-speed" }, { "aria-label": `Speed of ${name}` });
  speed.append(...SPEEDS.map(([text]) => new Option(text)));
  speed.selectedIndex = 1;
  player = makePlayer(row, name, change, waiting, () => SPEEDS[speed.selectedIndex][1]);
  const back = [button("↺", "Start over", () => 0), button("‹", "Previous", (k) => k - 1)];
  const next = button("›", "Next", (k) => k + 1);
  function set(k) {
    row.set(k);
    for (const b of back) b.setAttribute("aria-disabled", k === 0);
    next.setAttribute("aria-disabled", k === last);
  }
  const more = make("div", { className: "explore-steps" });
  more.append(...back, player.button, next, speed);
  return { ...row, set, more, stop: player.stop, toggle: player.toggle };
}
