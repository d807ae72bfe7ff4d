/** Sign up, sign in. */

import { field, h, setText, svg } from "../dom.js";
import { body } from "./bodies.js";
import { dust } from "./sky.js";

const EXAMPLES = [
  { type: "planet", x: 560, y: 120, radius: 34, hue: 18, seed: "Ada" },
  { type: "planet", x: 180, y: 205, radius: 20, hue: 205, seed: "Grace" },
  { type: "star", x: 330, y: 90, radius: 16, hue: 45, seed: "Emmy" },
  { type: "star", x: 690, y: 230, radius: 12, hue: 210, seed: "Mary" },
  { type: "star", x: 90, y: 70, radius: 9, hue: 330, seed: "Lise" },
  { type: "star", x: 440, y: 235, radius: 8, hue: 50, seed: "Vera" },
];

export class Auth {
  #signUp;
  #signingUp = false;
  #busy = false;
  #fields = {
    username: field("User name", { name: "username", required: true, maxlength: 150, autocapitalize: "off" }),
    email: field("E-mail", { name: "email", type: "email", autocomplete: "email", maxlength: 254 }),
    password: field("Password", { name: "password", type: "password", required: true }),
  };
  #heading = h("h2", { class: "large" });
  #problem = h("p", { class: "wrong", role: "alert" });
  #submit = h("button", { class: "primary wide" });
  #other = h("button", { type: "button", class: "link" });

  /**
   * `signUp(path, values)` signs in or up; it throws an ApiError where that is refused.
   * `known`: somebody was signed in on this browser before.
   */
  constructor(root, signUp, { known }) {
    this.#signUp = signUp;
    const { username, email, password } = this.#fields;
    const form = h(
      "form",
      { class: "card stack" },
      this.#heading,
      username.element,
      email.element,
      password.element,
      this.#problem,
      this.#submit,
      this.#other,
    );
    form.addEventListener("submit", (event) => this.#send(event));
    this.#other.addEventListener("click", () => this.#show(!this.#signingUp, true));
    root.replaceChildren(hero(), form);
    this.#show(!known);
  }

  /** Empty again, for whoever comes next. */
  reset() {
    for (const { input } of Object.values(this.#fields)) input.value = "";
    this.#show(false);
  }

  #show(signingUp, focus = false) {
    this.#signingUp = signingUp;
    const { username, email, password } = this.#fields;
    setText(this.#heading, signingUp ? "Create an account" : "Welcome back");
    setText(this.#submit, signingUp ? "Sign up" : "Sign in");
    setText(this.#other, signingUp ? "I have an account: sign in" : "New here? Create an account");
    email.element.hidden = !signingUp;
    email.input.required = signingUp;
    username.input.autocomplete = "username";
    password.input.autocomplete = signingUp ? "new-password" : "current-password";
    this.#fail();
    if (focus) username.input.focus();
  }

  async #send(event) {
    event.preventDefault();
    if (this.#busy) return;
    const { username, email, password } = this.#fields;
    const values = { username: username.input.value.trim(), password: password.input.value };
    if (this.#signingUp) values.email = email.input.value.trim();
    [this.#busy, this.#submit.disabled] = [true, true];
    this.#fail();
    try {
      await this.#signUp(this.#signingUp ? "/users/signup/" : "/users/login/", values);
    } catch (error) {
      this.#fail(error);
    } finally {
      [this.#busy, this.#submit.disabled] = [false, false];
    }
  }

  #fail(error) {
    let named = 0;
    for (const [name, { fail }] of Object.entries(this.#fields)) {
      const sentences = error?.body[name];
      fail(Array.isArray(sentences) ? sentences.join(" ") : "");
      named += Array.isArray(sentences) ? 1 : 0;
    }
    const hint = this.#signingUp ? "At least 10 characters." : "";
    if (!error?.body.password) setText(this.#fields.password.element.lastChild, hint);
    setText(this.#problem, error && !named ? error.message : "");
  }
}

function hero() {
  const drawn = EXAMPLES.map((space) =>
    svg("g", { transform: `translate(${space.x} ${space.y})` }, body(space)),
  );
  const place = { viewBox: "0 0 800 480", preserveAspectRatio: "xMidYMin slice" };
  const sky = svg("svg", { ...place, "aria-hidden": "true" }, far(), ...drawn);
  return h(
    "div",
    { class: "hero night" },
    sky,
    h("p", { class: "promise" }, "Set a time and focus. Every device shows the same second."),
    h("p", { class: "muted" }, "Each session that you finish becomes a star or a planet in your sky."),
  );
}

const far = () => svg("g", {}, dust("welcome", 110), svg("g", { transform: "translate(0 230)" }, dust("low", 60)));
