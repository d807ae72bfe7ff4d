/** What this device is called in the log of a session: "Firefox on Windows". */

const BROWSERS = [/(Edg)/, /(OPR)/, /(Firefox)/, /(Chrom)/, /(Safari)/];
const SYSTEMS = [/(Android)/, /(iPhone|iPad)/, /(Windows)/, /(Mac)/, /(Linux)/];
const NAMES = { Edg: "Edge", OPR: "Opera", Chrom: "Chrome", Mac: "macOS" };

export function deviceName(agent = navigator.userAgent) {
  const first = (patterns) => {
    const found = patterns.map((pattern) => agent.match(pattern)?.[1]).find(Boolean);
    return NAMES[found] ?? found;
  };
  return [first(BROWSERS) ?? "Browser", first(SYSTEMS)].filter(Boolean).join(" on ");
}
