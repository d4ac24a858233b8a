// ---- in a page: the frames come from a script file, which works from file: as well ----

const expected = new Map(); // key -> what to do with the frames of that name
const receive = (key, packed) => expected.get(key)?.(packed);

function fetchFrames(holder) {
  const { key, src } = holder.dataset;
  if (!src) return Promise.resolve(holder.textContent);
  return new Promise((resolve, reject) => {
    expected.set(key, resolve);
    const nothing = () => reject(new Error(`no frames in ${src}`));
    document.head.append(make("script", { src, onload: nothing, onerror: nothing }));
  });
}

/* Return a function from the indices of the frame of each panel to what is to be painted. */
async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const content = await new Response(stream).json();
  const table = content.table.split("\n");
  function svg(run) {
    let text = "";
    for (let i = 0; i < run.length; i += 2)
      for (let j = run[i]; j < run[i] + run[i + 1]; j++) text += table[j];
    return text;
  }
  return (frames) => ({
    svgs: content.panels.map(({ runs, pictures }, p) => svg(runs[pictures[frames[p]]])),
    readouts: content.panels.flatMap(({ readouts }, p) => readouts[frames[p]]),
  });
}

function frozen(box) {
  const spec = JSON.parse(box.querySelector(".explore-spec").textContent);
  const holder = box.querySelector(".explore-frames");
  const count = (i) => spec.controls[i].texts.length;
  const frames = (at) => spec.panels.map(
    (controls) => controls.reduce((k, i) => k * count(i) + at[i], 0),
  );
  let picture, loading;
  const paint = (at) => widget.paint(picture(frames(at)), at);
  const widget = build(box, spec, spec.at, (at) => (picture ? paint(at) : load()));

  function load() {
    near.disconnect();
    loading ||= fetchFrames(holder).then(unpack).then(
      (unpacked) => {
        picture = unpacked;
        const at = widget.at();
        if (!same(at, spec.at)) paint(at);
        widget.rest();
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

  function called() { // by a link to #present-widget-2, the second one of the page
    if (location.hash !== `#present-${box.id}`) return;
    load();
    widget.open();
  }
  addEventListener("hashchange", called);
  called();
}

function wake() {
  for (const spec of document.querySelectorAll(".explore-spec")) frozen(spec.parentElement);
}
