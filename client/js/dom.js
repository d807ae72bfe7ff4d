/** Making elements. Text only ever becomes text nodes: nothing that a user wrote is parsed. */

const SVG = "http://www.w3.org/2000/svg";

/** h("button", {class: "quiet", onclick: stop}, "Stop") */
export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** The same for a drawing. */
export function svg(tag, props = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

function filled(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** Write a text only where it differs, so that a repaint costs nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Make `parent` show `items` in their order, keeping the element of each (and so its focus).
 * `make(item)` gives `{element, update(item)}`; `views` is a Map that the caller keeps.
 */
export function showList(parent, items, views, make) {
  const wanted = new Set(items.map((item) => item.id));
  for (const [id, view] of views) {
    if (wanted.has(id)) continue;
    view.element.remove();
    views.delete(id);
  }
  items.forEach((item, index) => {
    if (!views.has(item.id)) views.set(item.id, make(item));
    const { element, update } = views.get(item.id);
    update(item);
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index]);
  });
}

let made = 0;

/** An id for a label and its input. */
export const newId = (name) => `${name}-${(made += 1)}`;

/** A labelled input: `{element, input, fail(text)}`. */
export function field(label, props, { hint } = {}) {
  const [id, noteId] = [newId("field"), newId("note")];
  const input = h("input", { id, "aria-describedby": noteId, ...props });
  const note = h("small", { id: noteId, class: "note" }, hint ?? "");
  const fail = (text) => {
    setText(note, text || hint || "");
    note.classList.toggle("wrong", Boolean(text));
    input.setAttribute("aria-invalid", String(Boolean(text)));
  };
  input.addEventListener("input", () => fail(""));
  const element = h("div", { class: "field" }, h("label", { for: id }, label), input, note);
  return { element, input, fail };
}
