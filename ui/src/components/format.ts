// Numbers, money and times as people read them. Money comes as integer micro-USD and never passes through a sum of floats.

const count = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dateTime = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

export function formatCount(value: number): string {
  return count.format(value);
}

/** 12,345,678 → 12.3M. For tiles and axes. */
export function formatCompact(value: number): string {
  return Math.abs(value) < 10_000 ? formatCount(value) : compact.format(value);
}

/** Micro-USD as dollars: small sums keep the digits that tell them from nothing. */
export function formatMoney(micro: number): string {
  const dollars = micro / 1e6;
  const size = Math.abs(dollars);
  const digits = size === 0 || size >= 1 ? 2 : size >= 0.01 ? 4 : 6;
  return `${dollars < 0 ? "−" : ""}$${size.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

export function formatMs(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  if (ms === 0) return "< 1 ms";
  if (ms < 10) return `${Math.round(ms * 10) / 10} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export function formatRate(perSecond: number | null | undefined): string {
  return perSecond === null || perSecond === undefined ? "–" : perSecond < 10 ? perSecond.toFixed(1) : formatCount(perSecond);
}

export function formatPercent(part: number, whole: number): string {
  return whole === 0 ? "–" : `${((part / whole) * 100).toFixed(part === 0 || part === whole ? 0 : 1)} %`;
}

export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** 14:03:22 today, with the day before it otherwise. */
export function formatClock(at: number): string {
  const time = clock.format(at);
  return new Date(at).toDateString() === new Date().toDateString() ? time : `${day.format(at)} ${time}`;
}

export function formatHour(at: number): string {
  return hour.format(at);
}

export function formatDay(at: number): string {
  return day.format(at);
}

export function formatDateTime(at: number): string {
  return dateTime.format(at);
}

export function formatFullTime(at: number): string {
  return fullTime.format(at);
}

/** "3 min ago", "in 2 h". */
export function formatAgo(at: number, now = Date.now()): string {
  const seconds = Math.round(Math.abs(now - at) / 1000);
  const text =
    seconds < 5 ? "" : seconds < 60 ? `${seconds} s` : seconds < 3600 ? `${Math.round(seconds / 60)} min` : seconds < 86_400 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
  if (text === "") return "just now";
  return at > now ? `in ${text}` : `${text} ago`;
}
