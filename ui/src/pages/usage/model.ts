// Figures of the usage page: from the rows that the API gives to what charts and tables show.
import type { Totals } from "../../api/types";
import type { Point } from "../../components/charts";

export const DIMENSIONS = [
  { value: "client", label: "Client" },
  { value: "group", label: "Group" },
  { value: "model", label: "Model" },
  { value: "provider", label: "Provider" },
  { value: "tag", label: "Tag" },
  { value: "credential", label: "Key" },
  { value: "route", label: "Route" },
  { value: "none", label: "Day" },
] as const;

export type Dimension = (typeof DIMENSIONS)[number]["value"];

export interface UsageRow {
  key: string;
  name: string;
  at: number | null;
  totals: Totals;
}

export interface Usage {
  rows: UsageRow[];
  previous?: UsageRow[];
  totals: Totals;
  previous_totals?: Totals;
  next: string | null;
}

export type Measure = "cost" | "tokens" | "requests";

export function measured(totals: Totals, measure: Measure): number {
  switch (measure) {
    case "cost":
      return totals.cost_micro_usd;
    case "tokens":
      return tokensOf(totals);
    case "requests":
      return totals.requests;
  }
}

/** All tokens: fresh input, what came from the provider's cache, and output. */
export function tokensOf(totals: Totals): number {
  return totals.input_tokens + totals.cache_read_tokens + totals.output_tokens;
}

const DAY = 86_400_000;

/** The step that gives a chart of the range enough points and not too many. */
export function periodOf(lengthMs: number): { period: "hour" | "day"; ms: number } {
  return lengthMs <= 3 * DAY ? { period: "hour", ms: 3_600_000 } : { period: "day", ms: DAY };
}

const SHOWN = 6;

/** Points by time with a figure for each of the largest keys and one for all others together. Times that no row has are zeros. */
export function chartOf(rows: UsageRow[], measure: Measure, from: number, to: number, step: number): { points: Point[]; keys: { key: string; name: string }[] } {
  const sums = new Map<string, { name: string; sum: number }>();
  for (const row of rows) {
    const known = sums.get(row.key) ?? { name: row.name, sum: 0 };
    known.sum += measured(row.totals, measure);
    sums.set(row.key, known);
  }
  const largest = [...sums].sort((a, b) => b[1].sum - a[1].sum).slice(0, SHOWN);
  const place = new Map(largest.map(([key], index) => [key, `s${index}`]));
  const keys = largest.map(([, { name }], index) => ({ key: `s${index}`, name }));
  if (sums.size > SHOWN) keys.push({ key: "others", name: `${sums.size - SHOWN} others` });
  const points = new Map<number, Point>();
  const point = (at: number): Point => {
    const known = points.get(at);
    if (known) return known;
    const made: Point = { at };
    for (const { key } of keys) made[key] = 0;
    points.set(at, made);
    return made;
  };
  const first = rows.find((row) => row.at !== null)?.at;
  if (typeof first === "number") {
    const offset = first % step;
    for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step) point(at);
  }
  for (const row of rows) {
    if (row.at === null) continue;
    const target = point(row.at);
    const key = place.get(row.key) ?? "others";
    target[key] = (target[key] ?? 0) + measured(row.totals, measure);
  }
  return { points: [...points.values()].sort((a, b) => a.at - b.at), keys };
}
