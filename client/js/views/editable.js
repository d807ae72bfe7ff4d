/**
 * A text that is edited where it stands: a click on it makes it a field (for the keyboard there is a
 * button behind it), Enter keeps the new text, Escape leaves it.
 */

import { h, setText } from "../dom.js";
import { icon } from "../icons.js";

/**
 * `{element, update(value, text, {name, locked}), shut()}`. `shown` is the element that shows the
 * text. `shut` leaves the field as Escape does: its session is not there any more.
 * `save(value)` gives null, or the reason against it as a sentence. `props` are the input's.
 */
export function editable(shown, { what, save, props = {} }) {
  const number = props.type === "number";
  const pencil = h("button", { type: "button", class: "pencil" }, icon("pencil"));
  const element = h("span", { class: "editable" }, shown, pencil);
  let value = null;
  let name = "";
  let shut = () => {};

  const open = () => {
    if (pencil.hidden) return;
    const label = pencil.getAttribute("aria-label").replace("Edit the", "The");
    const input = h("input", { ...props, value, "aria-label": label, required: true });
    const note = h("small", { class: "note wrong", role: "alert" });
    const form = h("form", { class: number ? "in-place number" : "in-place" }, input, note);
    let done = false;
    const close = (focus) => {
      if (done) return;
      done = true;
      form.replaceWith(element);
      if (focus) pencil.focus();
    };
    shut = () => close(false);
    const keep = async (focus) => {
      const written = number ? Number(input.value) : input.value.trim();
      if (done || written === value || written === "") return close(focus);
      if (!form.reportValidity()) return undefined;
      const problem = await save(written);
      input.setAttribute("aria-invalid", String(Boolean(problem)));
      setText(note, problem ?? "");
      return problem ? input.focus() : close(focus);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      keep(true);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault(); // it means this field, not the dialog around it
      event.stopPropagation();
      close(true);
    });
    input.addEventListener("blur", () => keep(false));
    element.replaceWith(form);
    input.focus();
    input.select();
  };

  pencil.addEventListener("click", open);
  shown.addEventListener("click", open);

  const update = (newValue, text = newValue, { of = newValue, locked = false } = {}) => {
    [value, name] = [newValue, of];
    setText(shown, text);
    pencil.setAttribute("aria-label", `Edit the ${what} of ${name}`);
    pencil.hidden = locked;
    element.classList.toggle("open", !locked);
  };
  return { element, update, shut: () => shut() };
}
