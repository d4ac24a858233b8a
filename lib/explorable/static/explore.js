/* The front end of explore(), in a built page (a classic script) and in a notebook (a module).

   A widget has a row of values for each control; `at` holds the index of each. In a page the
   frames of all positions are packed in a script file of their own; in a notebook the kernel
   draws the frame of the position that it is sent. */
const explore = (() => {
  "use strict";

  function make(tag, properties = {}, attributes = {}) {
    const element = Object.assign(document.createElement(tag), properties);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  // ---- one widget: controls, figure, spoken state; `moved(at)` is called for every change ----

  function build(box, { controls, at, alt }, moved) {
    const id = "explore-" + Math.random().toString(36).slice(2, 10);
    const panel = box.querySelector(".explore-controls");
    const figure = box.querySelector(".explore-figure");
    const spoken = make("div", { className: "explore-spoken" }, { "aria-live": "polite" });
    const rows = controls.map((control, i) => row(control, `${id}-${i}`, (k) => change(i, k)));
    for (const { parts } of rows) {
      const line = make("div", { className: "explore-row" });
      line.append(...parts);
      panel.append(line);
    }
    // on the control itself, or JupyterLab's command mode takes its keys
    for (const part of panel.querySelectorAll("input, select, button"))
      part.setAttribute("data-lm-suppress-shortcuts", "true");
    box.append(spoken);
    at = [...at];
    rows.forEach((r, i) => r.set(at[i]));

    let pause;
    function change(i, k) {
      at[i] = k;
      rows[i].set(k);
      clearTimeout(pause);
      pause = setTimeout(() => { spoken.textContent = state(at); }, 700);
      box.classList.add("explore-waiting");
      moved([...at]);
    }

    const state = (where) => controls.map((c, i) => `${c.label} ${c.texts[where[i]]}`).join(", ");

    return {
      at: () => [...at],
      move(where) {
        at = [...where];
        rows.forEach((r, i) => r.set(at[i]));
      },
      paint(svg, where) {
        // matplotlib's ids are the same in every figure, a page needs them to differ
        figure.innerHTML = svg.replace(/( id="| href="#|url\(#)/g, `$1${id}-`);
        figure.setAttribute("role", "img");
        figure.setAttribute("aria-label", `${alt}: ${state(where)}`);
        if (same(where, at)) box.classList.remove("explore-waiting");
      },
      fail(message) {
        const text = make("p", { className: "explore-error", textContent: message });
        figure.removeAttribute("role");
        figure.removeAttribute("aria-label");
        figure.replaceChildren(text);
        spoken.textContent = message;
        box.classList.remove("explore-waiting");
      },
      disable(message) {
        rows.forEach((r) => r.stop());
        for (const part of panel.querySelectorAll("input, select, button")) part.disabled = true;
        box.append(make("p", { className: "explore-error", textContent: message }, { role: "alert" }));
        box.classList.remove("explore-waiting");
      },
      stop() {
        rows.forEach((r) => r.stop());
        clearTimeout(pause);
      },
    };

    function row(control, name, change) {
      const label = make("label", { textContent: control.label, htmlFor: name });
      if (control.kind === "choice") return menu(control, label, name, change);
      if (control.kind === "switch") return tick(label, name, change);
      return range(control, label, name, change);
    }

    function menu({ texts }, label, name, change) {
      const input = make("select", { id: name });
      input.append(...texts.map((text) => new Option(text)));
      input.onchange = () => change(input.selectedIndex);
      return { parts: [label, input], set: (k) => { input.selectedIndex = k; }, stop() {} };
    }

    function tick(label, name, change) {
      const input = make("input", { id: name, type: "checkbox" });
      input.onchange = () => change(Number(input.checked));
      return { parts: [label, input], set: (k) => { input.checked = Boolean(k); }, stop() {} };
    }

    function range({ label: text, texts }, label, name, change) {
      const last = texts.length - 1;
      const input = make("input", { id: name, type: "range", min: 0, max: last, step: 1 });
      const value = make("output", { htmlFor: name }, { "aria-live": "off" });
      value.style.minWidth = `${Math.max(...texts.map((t) => t.length))}ch`;
      const parts = [label, input, value];
      let timer = 0, stop = () => {};
      input.oninput = () => { stop(); change(Number(input.value)); };

      if (last >= 5) {
        const button = make("button", { type: "button" });
        const picture = (sign, does) => {
          button.textContent = sign;
          button.setAttribute("aria-label", `${does} ${text}`);
        };
        stop = () => { clearInterval(timer); timer = 0; picture("▶", "Play"); };
        const step = () => {
          if (box.classList.contains("explore-waiting")) return; // a slow draw sets the pace
          if (Number(input.value) < last) change(Number(input.value) + 1);
          if (Number(input.value) === last) stop();
        };
        button.onclick = () => {
          if (timer) return stop();
          if (Number(input.value) === last) change(0);
          picture("❚❚", "Pause");
          timer = setInterval(step, Math.min(500, Math.max(120, 6000 / last)));
        };
        stop();
        parts.push(button);
      }
      return {
        parts,
        stop: () => stop(),
        set(k) {
          input.value = k;
          input.style.setProperty("--filled", `${(100 * k) / last}%`);
          input.setAttribute("aria-valuetext", texts[k]);
          value.textContent = texts[k];
        },
      };
    }
  }

  const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

  // ---- in a page: the frames come from a script file, which works from file: as well ----

  const expected = new Map(); // key -> what to do with the frames of that name

  function fetchFrames(holder) {
    const { key, src } = holder.dataset;
    if (!src) return Promise.resolve(holder.textContent);
    return new Promise((resolve, reject) => {
      expected.set(key, resolve);
      const nothing = () => reject(new Error(`no frames in ${src}`));
      document.head.append(make("script", { src, onload: nothing, onerror: nothing }));
    });
  }

  async function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const content = await new Response(stream).json();
    const table = content.table.split("\n");
    return (k) => {
      const run = content.runs[k];
      let svg = "";
      for (let i = 0; i < run.length; i += 2)
        for (let j = run[i]; j < run[i] + run[i + 1]; j++) svg += table[j];
      return svg;
    };
  }

  function frozen(box) {
    const spec = JSON.parse(box.querySelector(".explore-spec").textContent);
    const index = (at) => at.reduce((k, x, i) => k * spec.controls[i].texts.length + x, 0);
    let frame, loading;
    const widget = build(box, spec, (at) => (frame ? widget.paint(frame(index(at)), at) : load()));

    function load() {
      near.disconnect();
      loading ||= fetchFrames(box.querySelector(".explore-frames")).then(unpack).then(
        (unpacked) => {
          frame = unpacked;
          const at = widget.at();
          if (!same(at, spec.at)) widget.paint(frame(index(at)), at);
          box.classList.remove("explore-waiting");
          box.dataset.ready = "";
        },
        () => {
          widget.move(spec.at); // the still on the page is the picture of these values
          widget.disable("The other pictures of this figure could not be loaded. "
            + "Reloading the page tries again.");
        },
      );
    }

    const near = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) load();
    }, { rootMargin: "50% 0%" });
    near.observe(box);
    box.addEventListener("focusin", load, { once: true });
  }

  // ---- in a notebook: one question to the kernel at a time, and always the newest ----

  function live({ model, el }) {
    const box = make("div", { className: "explore" });
    box.append(make("div", { className: "explore-controls" }));
    box.append(make("div", { className: "explore-figure" }));
    el.append(box);
    const spec = { controls: model.get("controls"), alt: model.get("alt"), at: model.get("at") };
    let asked = spec.at, busy = false, scheduled = 0;
    const widget = build(box, spec, () => { scheduled ||= requestAnimationFrame(send); });

    function send() {
      scheduled = 0;
      if (busy || same(widget.at(), model.get("frame").at)) return;
      asked = widget.at();
      busy = true;
      model.set("at", asked);
      model.save_changes();
    }

    function paint() {
      const { at, svg, error } = model.get("frame");
      if (error) widget.fail(error);
      else widget.paint(svg, at);
      busy = false;
      send();
    }

    function follow() { // set from Python, or by another view of the same widget
      if (same(model.get("at"), asked)) return;
      asked = model.get("at");
      widget.move(asked);
    }

    model.on("change:frame", paint);
    model.on("change:at", follow);
    paint();
    box.dataset.ready = "";
    return () => {
      widget.stop();
      cancelAnimationFrame(scheduled);
      model.off("change:frame", paint);
      model.off("change:at", follow);
    };
  }

  if (document.currentScript) // null in a module
    for (const spec of document.querySelectorAll(".explore-spec")) frozen(spec.parentElement);

  return { live, receive: (key, packed) => expected.get(key)?.(packed) };
})();
