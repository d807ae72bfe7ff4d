/** The sky of one month: a body for each session, which leads to it; its title on hover and focus. */

import { h, setText, svg } from "../dom.js";
import { minutes, monthName, monthOf } from "../format.js";
import { icon } from "../icons.js";
import { pathOf } from "./detail.js";
import { body, HEIGHT, WIDTH } from "./drawings.js";

const EASY_TO_HIT = 20; // radius in the sky's own pixels

export class Sky {
  #heading = h("h2", { id: "sky-heading" });
  #earlier = h("button", { type: "button", class: "plain icon", "aria-label": "Earlier month" }, icon("earlier"));
  #later = h("button", { type: "button", class: "plain icon", "aria-label": "Later month" }, icon("later"));
  #drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group" });
  #label = h("div", { class: "sky-label", hidden: true, "aria-hidden": "true" });
  #empty = h("p", { class: "sky-empty" });
  #spaces = [];
  #loaded = false;
  #month = null; // null: this month
  #drawn = null;
  #shown = new Set();
  #current = 0; // which body the Tab key stops at

  constructor(root) {
    const sky = h("div", { class: "sky" }, this.#drawing, this.#label, this.#empty);
    const months = h("div", { class: "row tight" }, this.#earlier, this.#later);
    root.replaceChildren(h("header", { class: "row between" }, this.#heading, months), sky);
    this.#earlier.addEventListener("click", () => this.#turn(-1));
    this.#later.addEventListener("click", () => this.#turn(1));
    this.#drawing.addEventListener("keydown", (event) => this.#move(event));
    this.#drawing.setAttribute("aria-labelledby", "sky-heading");
  }

  update(spaces, { loaded }) {
    this.#loaded = loaded;
    const print = [loaded, ...spaces.map((space) => `${space.id} ${space.title}`)].join("|");
    if (print === this.#drawn) return;
    this.#drawn = print;
    this.#spaces = spaces;
    this.#draw();
  }

  #monthOfSpace = (space) => space.month ?? monthOf(space.created_at);

  #months() {
    return [...new Set([...this.#spaces.map(this.#monthOfSpace), monthOf(Date.now())])].sort();
  }

  #turn(by) {
    const months = this.#months();
    const at = months.indexOf(this.#month ?? months.at(-1)) + by;
    this.#month = at >= months.length - 1 ? null : months[Math.max(0, at)];
    this.#draw();
  }

  #draw() {
    const months = this.#months();
    const month = this.#month ?? months.at(-1);
    const here = this.#spaces.filter((space) => this.#monthOfSpace(space) === month);
    this.#heading.replaceChildren(
      `Sky of ${monthName(month)}`,
      h("small", { class: "muted" }, here.length ? ` · ${counted(here)}` : ""),
    );
    this.#earlier.parentElement.hidden = months.length === 1;
    this.#earlier.disabled = month === months[0];
    this.#later.disabled = month === months.at(-1);
    this.#current = Math.min(this.#current, Math.max(0, here.length - 1));
    this.#drawing.replaceChildren(...here.map((space, i) => this.#figure(space, i)));
    this.#label.hidden = true;
    setText(this.#label, "");
    const empty = this.#loaded ? "Nothing here yet. Focus, and a star will appear." : "";
    setText(this.#empty, here.length ? "" : empty);
    this.#spaces.forEach((space) => this.#shown.add(space.id));
  }

  #figure(space, index) {
    const time = space.focused_minutes ? minutes(space.focused_minutes) : "under a minute";
    const text = `${space.title ?? "A session"} · ${time}`;
    const born = this.#shown.size > 0 && !this.#shown.has(space.id);
    const drawing = svg("g", { class: born ? "born" : "body" }, body(space));
    const hit = svg("circle", { r: Math.max(EASY_TO_HIT, space.radius), class: "hit" });
    const figure = svg(
      "a",
      {
        class: "figure",
        href: pathOf(space.session),
        transform: `translate(${space.x} ${space.y})`,
        tabindex: index === this.#current ? 0 : -1,
        "aria-label": `${text}, a ${space.type}`,
      },
      hit,
      drawing,
    );
    const show = () => this.#name(space, text);
    const hide = () => (this.#label.hidden = true);
    for (const name of ["pointerenter", "focus"]) figure.addEventListener(name, show);
    figure.addEventListener("blur", hide);
    // A finger leaves at once; its label stays until another place is tapped.
    figure.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && hide());
    return figure;
  }

  #name(space, text) {
    setText(this.#label, text);
    this.#label.hidden = false;
    const [width, half] = [this.#drawing.clientWidth, this.#label.offsetWidth / 2];
    const inside = Math.min(width - half, Math.max(half, (space.x / WIDTH) * width));
    this.#label.style.setProperty("left", `${inside}px`);
    this.#label.style.setProperty("top", `${(space.y / HEIGHT) * 100}%`);
    this.#label.classList.toggle("below", space.y < HEIGHT / 3);
  }

  /** One Tab stop for the whole sky; the arrow keys move from body to body. */
  #move(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const figures = [...this.#drawing.querySelectorAll(".figure")];
    if (!step || !figures.length) return;
    event.preventDefault();
    figures[this.#current]?.setAttribute("tabindex", -1);
    this.#current = (this.#current + step + figures.length) % figures.length;
    figures[this.#current].setAttribute("tabindex", 0);
    figures[this.#current].focus();
  }
}

/** "1 star, 2 planets" */
function counted(spaces) {
  const planets = spaces.filter((space) => space.type === "planet").length;
  const several = (n, name) => n > 0 && `${n} ${name}${n === 1 ? "" : "s"}`;
  return [several(spaces.length - planets, "star"), several(planets, "planet")]
    .filter(Boolean)
    .join(", ");
}
