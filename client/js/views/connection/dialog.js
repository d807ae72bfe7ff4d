/** The connection to the server: its facts, and the last frames. */

import { h } from "../../dom.js";
import { modal } from "../modal.js";
import { factsView } from "./facts.js";
import { traceView } from "./trace.js";

const REDRAW_MS = 500; // for the numbers that count by themselves

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
  const stopListening = parts.trace.listen(drawSoon);
  const beat = setInterval(drawSoon, REDRAW_MS);
  modal({
    opener,
    title: "Connection",
    name: "connection",
    content: [facts.element, trace.element],
    closed: () => {
      stopListening();
      clearInterval(beat);
      cancelAnimationFrame(waiting);
    },
  });
  draw();
}
