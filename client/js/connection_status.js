/**
 * The status of the connection, as it is shown to the user.
 *
 *   connecting --> connected --lost--> coming back --> connected
 *                                           |
 *                                           +--> stopped
 *
 * An attempt to come back is still "coming back": the status stays until an attempt has worked.
 */

export class ConnectionStatus {
  status = null;
  since = null; // milliseconds by this page's own clock
  reason = ""; // why it stopped

  /** True where the status changed. */
  take(status, now, reason = "") {
    if (status === "connecting" && this.status === "coming back") return false;
    if (status === this.status) return false;
    [this.status, this.since, this.reason] = [status, now, reason];
    return true;
  }

  /** Another user: nothing was lost yet. */
  reset() {
    [this.status, this.since, this.reason] = [null, null, ""];
  }
}
