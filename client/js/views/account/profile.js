/** Names, time zone, start of the day, reminders. Another e-mail address needs the password. */

import { ask } from "../../api.js";
import { field, h, newId } from "../../dom.js";
import { read, written } from "../../reminders.js";
import { refused, savedForm, section } from "./form.js";

export function profileView(user, { changed }) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zones = h("datalist", { id: newId("zones") });
  zones.append(...zoneNames().map((value) => h("option", { value })));
  const fields = {
    username: field("User name", {
      value: user.username,
      maxlength: 150,
      autocomplete: "username",
      autocapitalize: "off",
    }),
    email: field("E-mail", {
      value: user.email,
      type: "email",
      maxlength: 254,
      autocomplete: "email",
    }),
    password: field(
      "Your password",
      { type: "password", autocomplete: "current-password" },
      { hint: "Whoever reads mails at this address can get into your account." },
    ),
    time_zone: field(
      "Time zone",
      { value: user.time_zone, list: zones.id, maxlength: 64, autocomplete: "off" },
      { hint: here === user.time_zone ? "" : `This device is in ${here}.` },
    ),
    day_start: field(
      "Start of the day",
      { value: clockOf(user.day_start), type: "time" },
      { hint: "What ends before it counts for the day before." },
    ),
    reminders: field(
      "Reminders before the end",
      { value: written(user.reminders), autocomplete: "off" },
      { hint: "Such as: 5 min, 1 min, 30 s. Empty for none." },
    ),
  };
  const { email, password } = fields;
  const moves = () => email.input.value.trim() !== user.email;
  const askForPassword = () => {
    password.element.hidden = !moves();
    if (!moves()) password.input.value = "";
  };
  email.input.addEventListener("input", askForPassword);
  askForPassword();
  const send = async () => {
    const wanted = changes(user, valuesOf(fields));
    if (!Object.keys(wanted).length) return "Nothing has changed.";
    if ("email" in wanted) {
      if (!password.input.value) throw refused("password", "Please fill this in.");
      wanted.password = password.input.value;
    }
    Object.assign(user, await ask("PATCH", "/users/me/", wanted));
    email.input.value = user.email;
    fields.reminders.input.value = written(user.reminders);
    askForPassword();
    changed({ ...user });
    return "Saved.";
  };
  return section("Profile", savedForm({ fields, extra: [zones], submit: "Save", send }));
}

function zoneNames() {
  return ["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])];
}

function valuesOf(fields) {
  const text = (name) => fields[name].input.value.trim();
  const reminders = read(text("reminders"));
  if (!reminders) throw refused("reminders", "Please write times such as: 5 min, 30 s.");
  if (!text("day_start")) throw refused("day_start", "Please give a time of day.");
  return {
    username: text("username"),
    email: text("email"),
    time_zone: text("time_zone"),
    day_start: minutesOf(text("day_start")),
    reminders,
  };
}

/** Only the changed fields: another device may have changed the rest meanwhile. */
function changes(user, values) {
  const differs = ([name, value]) => JSON.stringify(value) !== JSON.stringify(user[name]);
  return Object.fromEntries(Object.entries(values).filter(differs));
}

/** 90 -> "01:30" */
function clockOf(minutes) {
  const two = (n) => String(n).padStart(2, "0");
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function minutesOf(clock) {
  const [hours, minutes] = clock.split(":").map(Number);
  return hours * 60 + minutes;
}
