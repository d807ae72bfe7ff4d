/** The devices that are signed in, and signing them out. */

import { ask } from "../../api.js";
import { h, setText, showList } from "../../dom.js";
import { section } from "./form.js";
import { devices, moment } from "./labels.js";

const SHOWN = 6;

/** `{element, load()}`; `signOut()` is for this device. */
export function loginsView({ signOut }) {
  const views = new Map();
  const list = h("ul", { class: "logins" });
  const said = h("p", { class: "small", role: "status" });
  const problem = h("p", { class: "wrong small", role: "alert" });
  const button = (text, work, kind = "quiet") =>
    h("button", { type: "button", class: kind, hidden: true, onclick: work }, text);
  const more = button("", () => showAll(), "quiet slim");
  const again = button("Try again", () => load());
  const others = button("Sign out everywhere else", () => attempt(endOthers), "quiet danger");
  const element = section("Devices signed in", list, more, said, problem, again, others);
  const heading = element.querySelector("h3");
  heading.tabIndex = -1;
  let [logins, all] = [[], false];

  const draw = () => {
    const shown = all ? logins : logins.slice(0, SHOWN);
    showList(list, shown, views, (login) => row(login, end));
    more.hidden = shown.length === logins.length;
    setText(more, `Show ${logins.length - shown.length} more`);
    others.hidden = logins.length < 2;
  };
  const showAll = () => {
    all = true;
    draw();
    list.children[SHOWN].querySelector("button").focus();
  };
  async function load() {
    if (!logins.length) setText(said, "Loading…");
    again.hidden = true;
    const read = await attempt(async () => {
      logins = await ask("GET", "/users/me/logins/");
      logins.sort((a, b) => b.current - a.current); // this one first, then as they were seen
      return "";
    });
    again.hidden = read;
    draw();
  }
  async function end(login) {
    if (login.current) return signOut();
    return attempt(async () => {
      await ask("DELETE", `/users/me/logins/${login.id}/`).catch(unlessGone);
      gone((other) => other !== login);
      return `${login.device || "The device"} was signed out.`;
    });
  }
  async function endOthers() {
    const { ended } = await ask("DELETE", "/users/me/logins/");
    gone((login) => login.current);
    return devices(ended);
  }
  function gone(stays) {
    logins = logins.filter(stays);
    draw();
    heading.focus(); // the button that was pressed is not there any more
  }
  /** True where it worked; `work()` gives the words for it. */
  async function attempt(work) {
    setText(problem, "");
    try {
      setText(said, await work());
      return true;
    } catch (error) {
      setText(said, "");
      setText(problem, error.message);
      return false;
    }
  }
  return { element, load };
}

function unlessGone(error) {
  if (error.status !== 404) throw error; // it ended by itself meanwhile
}

function row(login, end) {
  const name = login.device || "Unknown device";
  const thisOne = login.current && h("span", { class: "tag" }, "this one");
  const when = `First seen ${moment(login.first_seen)} · last seen ${moment(login.last_seen)}`;
  const from = login.address && ` · ${login.address}`;
  const what = h(
    "div",
    {},
    h("strong", {}, name),
    thisOne && [" ", thisOne],
    h("p", { class: "muted small" }, when, from),
  );
  const button = h("button", { type: "button", class: "quiet slim" }, "Sign out");
  button.setAttribute("aria-label", `Sign out ${name}${login.current ? " (this one)" : ""}`);
  button.addEventListener("click", () => end(login));
  return { element: h("li", { class: "row between" }, what, button), update() {} };
}
