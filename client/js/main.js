/** The page starts here: signed in or not? */

import { ask, askOpenly, onSignedOut } from "./api.js";
import { App } from "./app.js";
import { deviceName } from "./device.js";
import * as tokens from "./tokens.js";
import { seenBefore } from "./seen.js";
import { Auth } from "./views/auth.js";
import { insist } from "./views/messages.js";
import { themeToggle } from "./views/theme_toggle.js";

const element = (id) => document.getElementById(id);
const app = new App({ signedOut: loginEnded });
const auth = new Auth(element("welcome"), signIn, { known: seenBefore() });
let user = null;

function show(login) {
  if (login?.user.id === user?.id) return;
  if (user) app.leave();
  user = login?.user ?? null;
  element("welcome").hidden = Boolean(user);
  for (const id of ["app", "account", "badge"]) element(id).hidden = !user;
  if (!user) return auth.reset();
  element("name").textContent = user.username;
  return app.enter(user);
}

async function signIn(path, values) {
  tokens.save(await askOpenly("POST", path, { ...values, device: deviceName() }));
  show(tokens.read());
  if (path.includes("signup")) {
    const time_zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    await ask("PATCH", "/users/me/", { time_zone }).catch(() => {}); // UTC serves as well
  }
}

async function signOut() {
  const { access, refresh } = tokens.read() ?? {};
  tokens.clear();
  show(null); // before the server closes the socket, which would ask for a new token
  await askOpenly("POST", "/users/logout/", { refresh }, access).catch(() => {}); // it expires
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
element("sign-out").addEventListener("click", signOut);
const login = tokens.read();
show(login);
element("welcome").hidden = Boolean(login);
