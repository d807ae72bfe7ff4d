/** How the page and the server hear each other: the facts, and the last frames. */

import { h } from "../../dom.js";
import { modal } from "../modal.js";
import { factsView } from "./facts.js";
import { traceView } from "./trace.js";

const EVERY_MS = 500; // what counts by itself: since when, and until the next attempt

/** `parts`: connection, clock, socket, store, trace. Nothing is drawn before, or after it is closed. */
export function connectionDialog(opener, parts) {
  const [facts, trace] = [factsView(parts), traceView(parts)];
  let waiting = null;
  const draw = () => {
    waiting = null;
    facts.update();
    trace.update();
  };
  const drawSoon = () => {
    waiting ??= requestAnimationFrame(draw); // a burst of frames is drawn once
  };
  const forget = parts.trace.listen(drawSoon);
  const beat = setInterval(drawSoon, EVERY_MS);
  modal({
    opener,
    title: "Connection",
    name: "connection",
    content: [facts.element, trace.element],
    closed: () => {
      forget();
      clearInterval(beat);
      cancelAnimationFrame(waiting);
    },
  });
  draw();
}
