// ---- in a notebook: one question to the kernel at a time, and always the newest ----

function live({ model, el }) {
  const spec = model.get("spec");
  const box = make("div", { className: "explore" });
  box.append(make("div", { className: "explore-controls" }));
  if (spec.readouts.length) {
    const list = make("dl", { className: "explore-readouts" });
    list.append(...spec.readouts.map((label) => {
      const line = make("div");
      line.append(make("dt", { innerHTML: label }), make("dd"));
      return line;
    }));
    box.append(list);
  }
  box.append(make("div", { className: "explore-figure" }));
  if (spec.title) {
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", spec.title);
  }
  el.append(box);
  let asked = model.get("at"), busy = false, scheduled = 0;
  const widget = build(box, spec, asked, () => { scheduled ||= requestAnimationFrame(send); });

  function send() {
    scheduled = 0;
    if (busy) return;
    if (same(widget.at(), model.get("frame").at)) return widget.rest(); // there and back
    asked = widget.at();
    busy = true;
    model.set("at", asked);
    model.save_changes();
  }

  function paint() {
    const { at, error, ...picture } = model.get("frame");
    if (error) widget.fail(error);
    else widget.paint(picture, at);
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
