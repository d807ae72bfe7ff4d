/** A part of the account that is saved by itself: fields, a button, and the result. */

import { h, newId, setText } from "../../dom.js";

/** A titled part of the dialog. */
export function section(title, ...content) {
  const id = newId("part");
  return h("section", { class: "stack", "aria-labelledby": id }, h("h3", { id }, title), content);
}

/** One text from a list of sentences, or a list of lists. */
const sentences = (found) => Object.values(found ?? {}).flat(Infinity).join(" ");

/**
 * `fields` by the names that the API gives them; `send()` gives the words for "it worked". Where
 * it throws an ApiError, each field says its own, and the rest stands below.
 */
export function savedForm({ fields, extra = [], submit, send }) {
  const said = h("p", { class: "small", role: "status" });
  const problem = h("p", { class: "wrong small", role: "alert" });
  const button = h("button", { class: "primary" }, submit);
  const shown = Object.values(fields).map(({ element }) => element);
  const foot = h("div", { class: "row" }, button, said, problem);
  const form = h("form", { class: "stack", novalidate: true }, extra, shown, foot);
  let busy = false;

  const fail = (error) => {
    const named = Object.entries(fields).filter(([name, { fail: tell }]) => {
      const found = Array.isArray(error?.body?.[name]) || error?.body?.[name]?.constructor === Object;
      tell(found ? sentences(error.body[name]) : "");
      return found;
    });
    named[0]?.[1].input.focus();
    setText(problem, error && !named.length ? error.message : "");
  };
  form.addEventListener("input", () => setText(said, ""));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    fail(null);
    setText(said, "Saving…");
    let words = "";
    try {
      words = await send();
    } catch (error) {
      fail(error);
    }
    setText(said, words);
    busy = false;
  });
  return form;
}

/** A refusal of this page's own, in the shape of the API's. */
export function refused(name, sentence) {
  return Object.assign(new Error(sentence), { body: { [name]: [sentence] } });
}
