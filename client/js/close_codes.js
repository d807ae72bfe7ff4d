/** The server's close codes, and whether to reconnect. */

const STOP = {
  4400: "This page and the server do not understand each other. Reload the page.",
  4403: "This account may not connect.",
  4409: "Too many windows and devices are open. This one stopped listening; reload it to go on.",
  4413: "This page sent a message that is too large. Reload the page.",
};
const SLOW_DOWN = 4429;
const NOT_AUTHENTICATED = 4401;

/** What to do after a close: "stop", "renew" (the tokens, then return), "slowly" or "return". */
export function verdict(code) {
  if (code in STOP) return "stop";
  if (code === NOT_AUTHENTICATED) return "renew";
  return code === SLOW_DOWN ? "slowly" : "return";
}

/** The sentence for the user where the verdict is "stop". */
export const reason = (code) => STOP[code] ?? "The server closed the connection.";
