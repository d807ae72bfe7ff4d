/** The list of the last frames: live, or held still to be read. */

import { h, newId, setText, showList } from "../../dom.js";
import { asLines } from "../../trace.js";
import { copyText } from "./copy.js";
import { frameRow } from "./row.js";
import { rovingTabindex } from "./roving_tabindex.js";

const SAID_MS = 3_000;

export function traceView({ trace, clock }) {
  const views = new Map();
  let held = null; // all and few, as they were when the list was held
  const headingId = newId("trace");
  const note = h("span", { class: "muted small", role: "status" });
  const list = h("ul", { class: "trace", "aria-labelledby": headingId });
  const stop = rovingTabindex(list);
  const hide = h("input", { type: "checkbox" });
  const button = (text, work) =>
    h("button", { type: "button", class: "quiet slim", onclick: work }, text);
  const hold = button("Hold", () => keep(!held));
  const copy = button("Copy", () => copyShown());
  const heading = h("h3", { id: headingId }, "Last frames");
  const filter = h("label", { class: "row tight small" }, hide, "Hide ticks and pings");
  const element = h(
    "section",
    { class: "stack", "aria-labelledby": headingId },
    h("div", { class: "row spread" }, heading, h("div", { class: "row tight" }, hold, copy)),
    h("div", { class: "row spread" }, filter, note),
    list,
  );

  const entries = (few) => trace.entries({ routine: !few });
  const shown = () => held?.get(hide.checked) ?? entries(hide.checked);
  const draw = () => {
    const make = (entry) => frameRow(entry, clock, { opened: () => keep(true) });
    showList(list, shown(), views, make);
    stop.update();
  };
  function keep(wanted) {
    if (!wanted) held = null;
    else held ??= new Map([true, false].map((few) => [few, entries(few)]));
    hold.setAttribute("aria-pressed", String(wanted));
    explain();
    draw();
  }
  const explain = () => setText(note, held ? "Held still; newer frames wait." : "");
  async function copyShown() {
    const done = await copyText(asLines(shown(), clock.offset), element);
    setText(note, done ? "Copied." : "The browser did not allow to copy.");
    setTimeout(explain, SAID_MS);
  }
  hide.addEventListener("change", draw);
  return { element, update: () => held || draw() };
}
