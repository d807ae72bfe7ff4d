/** The page starts here: signed in or not? */

import { ask, askOpenly, onSignedOut } from "./api.js";
import { App } from "./app.js";
import { deviceName } from "./device.js";
import * as tokens from "./tokens.js";
import { icon } from "./icons.js";
import * as resetLink from "./reset_link.js";
import { seenBefore } from "./last_seen.js";
import { accountDialog } from "./views/account/dialog.js";
import { Auth } from "./views/auth.js";
import { clearMessages, insist, say } from "./views/messages.js";
import { resetDialog } from "./views/reset.js";
import { themeToggle } from "./views/theme_toggle.js";

const link = resetLink.take(); // first of all: no other code may see it
const element = (id) => document.getElementById(id);
const app = new App({ signedOut: loginEnded });
const onAuth = { enter: signIn, askForLink };
const auth = new Auth(element("welcome"), onAuth, { known: seenBefore() });
let user = null;

function show(login) {
  if (login) called(login.user);
  if (login?.user.id === user?.id) return login && app.know(login.user);
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  if (user) app.leave();
  user = login?.user ?? null;
  element("welcome").hidden = Boolean(user);
  for (const id of ["app", "account", "badge"]) element(id).hidden = !user;
  if (!user) return auth.reset();
  return app.enter(user);
}

/** The name in the head, which may change while the user stays the same. */
function called({ username }) {
  element("name").textContent = username;
  element("open-account").setAttribute("aria-label", `Account of ${username}`);
}

async function signIn(path, values) {
  tokens.save(await askOpenly("POST", path, { ...values, device: deviceName() }));
  show(tokens.read());
  if (path.includes("signup")) {
    const time_zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    await ask("PATCH", "/users/me/", { time_zone }).catch(() => {}); // UTC serves as well
  }
}

async function askForLink(email) {
  return (await askOpenly("POST", "/users/password/reset/", { email })).detail;
}

/** The link of a mail leads to the choice of a new password, signed in or not. */
function chooseNewPassword(link) {
  if (!link) return;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  const back = { focus: () => (user ? element("open-account") : auth).focus() };
  resetDialog(back, link, {
    done() {
      if (!user) auth.reset();
      back.focus();
      say(`Your new password is set.${user ? "" : " Please sign in with it."}`);
    },
    again() {
      if (user) return insist("Please sign out, then choose: Forgot your password?");
      return auth.forgot();
    },
  });
}

async function signOut() {
  const { access, refresh } = tokens.read() ?? {};
  tokens.clear();
  show(null); // before the server closes the socket, which would ask for a new token
  await askOpenly("POST", "/users/logout/", { refresh }, access).catch(() => {}); // it expires
}

/** The account is gone, and with it every login. */
function deleted({ username }) {
  tokens.clear();
  show(null);
  clearMessages(); // its socket may have closed first, with the message that the login has ended
  say(`The account of ${username} has been deleted.`);
}

function openAccount() {
  const changed = (now) => tokens.saveUser(now).then(() => show(tokens.read()));
  accountDialog(element("open-account"), { changed, signOut, deleted });
}

/** The server does not accept this login any more. */
function loginEnded() {
  if (!user) return;
  tokens.clear();
  show(null);
  insist("You have been signed out. Please sign in again.");
}

themeToggle(element("theme"));
onSignedOut(loginEnded);
tokens.onOtherWindow(show);
element("open-account").prepend(icon("person"));
element("open-account").addEventListener("click", openAccount);
element("sign-out").addEventListener("click", signOut);
const login = tokens.read();
show(login);
element("welcome").hidden = Boolean(login);
chooseNewPassword(link);
// A link that is opened where the page is open already.
addEventListener("hashchange", () => chooseNewPassword(resetLink.take()));
