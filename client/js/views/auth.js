/** Sign up, sign in, ask for a link to a new password. */

import { field, h, setText, svg } from "../dom.js";
import { body, starfield } from "./drawings.js";

const EXAMPLES = [
  { type: "planet", x: 560, y: 120, radius: 34, hue: 18, seed: "Ada" },
  { type: "planet", x: 180, y: 205, radius: 20, hue: 205, seed: "Grace" },
  { type: "star", x: 330, y: 90, radius: 16, hue: 45, seed: "Emmy" },
  { type: "star", x: 690, y: 230, radius: 12, hue: 210, seed: "Mary" },
  { type: "star", x: 90, y: 70, radius: 9, hue: 330, seed: "Lise" },
  { type: "star", x: 440, y: 235, radius: 8, hue: 50, seed: "Vera" },
];

const MODES = {
  signUp: {
    heading: "Create an account",
    submit: "Sign up",
    other: ["I have an account: sign in", "signIn"],
    fields: ["username", "email", "password"],
    path: "/users/signup/",
  },
  signIn: {
    heading: "Welcome back",
    submit: "Sign in",
    other: ["New here? Create an account", "signUp"],
    fields: ["username", "password"],
    path: "/users/login/",
  },
  forgot: {
    heading: "Forgot your password?",
    submit: "Send me a link",
    other: ["Back to sign in", "signIn"],
    fields: ["email"],
  },
};

export class Auth {
  #on;
  #mode = "signIn";
  #busy = false;
  #fields = {
    username: field("User name", { name: "username", maxlength: 150, autocapitalize: "off" }),
    email: field("E-mail", { name: "email", type: "email", autocomplete: "email", maxlength: 254 }),
    password: field("Password", { name: "password", type: "password" }),
  };
  #heading = h("h2", { class: "large" });
  #problem = h("p", { class: "wrong", role: "alert" });
  #said = h("p", { role: "status" });
  #submit = h("button", { class: "primary wide" });
  #forgot = h("button", { type: "button", class: "link" }, "Forgot your password?");
  #other = h("button", { type: "button", class: "link" });

  /**
   * `on.enter(path, values)` signs in or up, `on.askForLink(email)` gives the words for it; both
   * throw an ApiError where that is refused. `known`: this browser had a login before.
   */
  constructor(root, on, { known }) {
    this.#on = on;
    const { username, email, password } = this.#fields;
    const form = h(
      "form",
      { class: "card stack" },
      this.#heading,
      username.element,
      email.element,
      password.element,
      this.#problem,
      this.#said,
      this.#submit,
      this.#forgot,
      this.#other,
    );
    form.addEventListener("submit", (event) => this.#send(event));
    this.#forgot.addEventListener("click", () => this.forgot());
    this.#other.addEventListener("click", () => this.#show(MODES[this.#mode].other[1], true));
    root.replaceChildren(hero(), form);
    this.#show(known ? "signIn" : "signUp");
  }

  /** Empty the form, for the next user. */
  reset() {
    for (const { input } of Object.values(this.#fields)) input.value = "";
    this.#show("signIn");
  }

  /** Ask for the address to send a link to. */
  forgot() {
    const { username, email } = this.#fields;
    if (username.input.value.includes("@")) email.input.value = username.input.value;
    this.#show("forgot", true);
  }

  /** Focus the first field. */
  focus() {
    this.#fields[MODES[this.#mode].fields[0]].input.focus();
  }

  #show(mode, focus = false) {
    this.#mode = mode;
    const { heading, submit, other, fields } = MODES[mode];
    setText(this.#heading, heading);
    setText(this.#submit, submit);
    setText(this.#other, other[0]);
    setText(this.#said, "");
    this.#forgot.hidden = mode !== "signIn";
    for (const [name, { element, input }] of Object.entries(this.#fields)) {
      element.hidden = !fields.includes(name);
      input.required = fields.includes(name);
    }
    this.#fields.username.input.autocomplete = "username";
    const kind = mode === "signUp" ? "new-password" : "current-password";
    this.#fields.password.input.autocomplete = kind;
    this.#fail();
    if (focus) this.focus();
  }

  async #send(event) {
    event.preventDefault();
    if (this.#busy) return;
    const { username, email, password } = this.#fields;
    const values = {
      username: username.input.value.trim(),
      email: email.input.value.trim(),
      password: password.input.value,
    };
    const mode = this.#mode;
    const { path, fields } = MODES[mode];
    [this.#busy, this.#submit.disabled] = [true, true];
    this.#fail();
    setText(this.#said, "");
    try {
      if (path) {
        const wanted = Object.entries(values).filter(([name]) => fields.includes(name));
        await this.#on.enter(path, Object.fromEntries(wanted));
      } else {
        const words = await this.#on.askForLink(values.email);
        if (this.#mode === mode) setText(this.#said, words);
      }
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
    const hint = this.#mode === "signUp" ? "At least 10 characters." : "";
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

const far = () => svg("g", {}, starfield("welcome", 110), svg("g", { transform: "translate(0 230)" }, starfield("low", 60)));
