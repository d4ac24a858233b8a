// ---- one widget: controls, readouts, figure, spoken state ----

const CORNERS = '<svg viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" '
  + 'stroke-width="2"><path d="M1 6V1h5M10 1h5v5M15 10v5h-5M6 15H1v-5"/></svg>';
const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

/* `spec` is what Python knows from the start. `moved(at)` is called for every change, with the
   index of each control's value. */
function build(box, spec, start, moved) {
  const id = "explore-" + Math.random().toString(36).slice(2, 10);
  const { alt, title, controls } = spec;
  const panel = box.querySelector(".explore-controls");
  const figure = box.querySelector(".explore-figure");
  const readouts = box.querySelector(".explore-readouts");
  const spoken = make("div", { className: "explore-spoken" }, { "aria-live": "polite" });
  const waiting = () => box.classList.contains("explore-waiting");
  const rows = controls.map((c, i) => makeRow(c, `${id}-${i}`, (k) => change(i, k), waiting));
  const names = rows.map(({ parts }) => parts[0].textContent);
  const painted = spec.panels.map(() => "");
  let at = [...start];

  for (const { parts, more } of rows) {
    const line = make("div", { className: "explore-row" });
    line.append(...parts);
    panel.append(line, ...(more ? [more] : []));
  }
  const show = make(
    "button",
    { type: "button", className: "explore-present", innerHTML: CORNERS, title: "Present" },
    { "aria-label": title ? `Present: ${title}` : "Present this figure" },
  );
  show.onclick = open;
  box.append(spoken, show);
  box.style.setProperty("--explore-aspect", spec.aspect);
  // on the control itself, or JupyterLab's command mode takes its keys
  for (const part of box.querySelectorAll("input, select, button"))
    part.setAttribute("data-lm-suppress-shortcuts", "true");
  rows.forEach((row, i) => row.set(at[i]));
  document.addEventListener("explore-link", follow);

  const state = (where) => controls.map((c, i) => `${names[i]} ${c.texts[where[i]]}`).join(", ");

  // screen readers hear where the controls stand when the reader pauses, and the readouts
  let pause;
  function say() {
    const numbers = [...(readouts?.children || [])].map(
      (line) => [...line.children].map((part) => part.textContent).join(" "),
    );
    spoken.textContent = [state(at), ...numbers].join(", ");
  }

  function change(i, k) {
    if (controls[i].linked) document.dispatchEvent(new CustomEvent("explore-link", {
      detail: { from: id, key: linkKey(controls[i]), k },
    }));
    put(i, k);
    clearTimeout(pause);
    pause = setTimeout(say, 700);
  }

  function put(i, k) {
    at[i] = k;
    rows[i].set(k);
    box.classList.add("explore-waiting");
    moved([...at]);
  }

  function follow({ detail: { from, key, k } }) {
    controls.forEach((control, i) => {
      if (from === id || !control.linked || linkKey(control) !== key || at[i] === k) return;
      rows[i].stop();
      put(i, k);
    });
  }

  function open() {
    return present(box, { rows, title, at: () => at, go: (i, k) => { rows[i].stop(); change(i, k); } });
  }

  return {
    open,
    at: () => [...at],
    move(where) {
      at = [...where];
      rows.forEach((row, i) => row.set(at[i]));
    },
    paint({ svgs, readouts: values }, where) {
      if (figure.children.length !== svgs.length || figure.querySelector(".explore-error")) {
        figure.replaceChildren(...svgs.map(() => make("div", { className: "explore-panel" })));
        painted.fill("");
      }
      svgs.forEach((svg, i) => {
        if (svg === painted[i]) return;
        painted[i] = svg;
        // matplotlib's ids are the same in every figure, a page needs them to differ
        figure.children[i].innerHTML = svg.replace(/( id="| href="#|url\(#)/g, `$1${id}p${i}-`);
      });
      values.forEach((value, i) => { readouts.children[i].lastChild.innerHTML = value; });
      figure.setAttribute("role", "img");
      figure.setAttribute("aria-label", `${alt}: ${state(where)}`);
      if (same(where, at)) this.rest();
    },
    fail(message) {
      const text = make("p", { className: "explore-error", textContent: message });
      figure.removeAttribute("role");
      figure.removeAttribute("aria-label");
      figure.replaceChildren(text);
      spoken.textContent = message;
      this.rest();
    },
    rest() { box.classList.remove("explore-waiting"); },
    disable(message) {
      rows.forEach((row) => row.stop());
      for (const part of panel.querySelectorAll("input, select, button")) part.disabled = true;
      box.append(make("p", { className: "explore-error", textContent: message }, { role: "alert" }));
      this.rest();
    },
    stop() {
      rows.forEach((row) => row.stop());
      clearTimeout(pause);
      document.removeEventListener("explore-link", follow);
    },
  };
}

const linkKey = ({ name, texts }) => JSON.stringify([name, texts]);
