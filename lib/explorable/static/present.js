// ---- present mode: the widget on a stage that fills the screen ----

const FORWARD = ["ArrowRight", "PageDown"], BACK = ["ArrowLeft", "PageUp"]; // as presenters send

let taken = false; // there is one screen

/* Move the widget onto a stage. `rows` are its controls, `go(i, k)` moves one of them. */
async function present(box, { rows, title, at, go }) {
  if (taken) return;
  taken = true;
  const name = { "aria-label": title || "Figure", "data-lm-suppress-shortcuts": "true" };
  const stage = make("dialog", { className: "explore-stage" }, name);
  const leave = make("button", { type: "button", className: "explore-leave", textContent: "Leave" });
  leave.onclick = () => stage.close();
  const digits = rows.length > 1 ? `1–${Math.min(9, rows.length)} choose · ` : "";
  const plays = rows.some((row) => row.toggle) && !still() ? " · space plays" : "";
  const help = make("p", {
    className: "explore-help", textContent: `${digits}← → move${plays} · Esc leaves`,
  });
  const heading = make("h2", { className: "explore-title", textContent: title });

  // a browser gives its whole screen only for a click; for a link the stage fills the window
  const { documentElement: page } = document;
  if (page.requestFullscreen && navigator.userActivation?.isActive)
    await page.requestFullscreen().catch((refused) => refused);

  const place = document.createComment("");
  box.replaceWith(place);
  stage.append(...(title ? [heading] : []), box, help, leave);
  document.body.append(stage);
  stage.showModal(); // on top of all, keeps the focus inside, and Esc closes it

  let active = Math.max(0, rows.findIndex((row) => row.toggle));
  const choose = (i) => { active = i; rows[i].input.focus(); };
  choose(active);
  rows.forEach((row, i) => row.input.addEventListener("focus", () => { active = i; }));

  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const { key, target } = event, row = rows[active];
    const move = (step) => go(active, Math.max(0, Math.min(row.last, at()[active] + step)));
    if (key > "0" && key <= String(Math.min(9, rows.length))) choose(Number(key) - 1);
    else if (target.matches(".explore-speed, button")) return; // these have keys of their own
    else if (FORWARD.includes(key)) move(1);
    else if (BACK.includes(key)) move(-1);
    else if (key === " " && !target.matches("select, [type=checkbox]"))
      (row.toggle ? row : rows.find((r) => r.toggle))?.toggle();
    else return;
    event.preventDefault();
  });
  const shrunk = () => { if (!document.fullscreenElement) stage.close(); };
  document.addEventListener("fullscreenchange", shrunk);
  stage.onclose = () => {
    document.removeEventListener("fullscreenchange", shrunk);
    rows.forEach((row) => row.stop());
    place.replaceWith(box);
    stage.remove();
    taken = false;
    if (document.fullscreenElement) document.exitFullscreen();
    if (location.hash.startsWith("#present-"))
      history.replaceState(null, "", location.pathname + location.search);
    box.scrollIntoView({ block: "nearest" });
    box.querySelector(".explore-present")?.focus();
  };
}
