// The time range that pages look at. It stands in the address and goes along from page to page.
import { useCallback, useMemo } from "react";
import { useSearchParams } from "react-router";

export const RANGES = [
  { value: "1h", label: "Last hour", ms: 3_600_000 },
  { value: "24h", label: "Last 24 hours", ms: 86_400_000 },
  { value: "7d", label: "Last 7 days", ms: 7 * 86_400_000 },
  { value: "30d", label: "Last 30 days", ms: 30 * 86_400_000 },
  { value: "90d", label: "Last 90 days", ms: 90 * 86_400_000 },
] as const;

const STANDARD = "24h";

export interface TimeRange {
  /** Name of a rolling range, or `custom`. */
  name: string;
  label: string;
  from_ms: number;
  /** Absent while the range ends at this moment. */
  to_ms?: number;
  length_ms: number;
  /** For query keys: equal for the same range even as time goes on. */
  key: string;
}

export function rangeOf(search: URLSearchParams, now: number): TimeRange {
  const from = Number(search.get("from"));
  const to = Number(search.get("to"));
  if (search.get("range") === "custom" && from > 0 && to > from) {
    return { name: "custom", label: "Custom", from_ms: from, to_ms: to, length_ms: to - from, key: `${from}-${to}` };
  }
  const known = RANGES.find((one) => one.value === search.get("range")) ?? RANGES.find((one) => one.value === STANDARD) ?? RANGES[1];
  return { name: known.value, label: known.label, from_ms: now - known.ms, length_ms: known.ms, key: known.value };
}

/** The range now. `query()` gives parameters for a call made at this moment. */
export function useTimeRange(): TimeRange & { query: () => { from_ms: number; to_ms?: number } } {
  const [search] = useSearchParams();
  const text = [search.get("range"), search.get("from"), search.get("to")].join("|");
  // The text stands for the parameters that are read.
  const range = useMemo(() => rangeOf(search, Date.now()), [text]);
  const query = useCallback(() => {
    const { from_ms, to_ms } = rangeOf(search, Date.now());
    return { from_ms, to_ms };
  }, [text]);
  return { ...range, query };
}

export function useSetTimeRange(): (range: string, from?: number, to?: number) => void {
  const [, setSearch] = useSearchParams();
  return (range, from, to) =>
    setSearch((old) => {
      const next = new URLSearchParams(old);
      next.set("range", range);
      next.delete("from");
      next.delete("to");
      if (range === "custom" && from && to) {
        next.set("from", String(from));
        next.set("to", String(to));
      }
      return next;
    });
}

/** The part of an address that goes along to other pages. */
export function carried(search: URLSearchParams): string {
  const kept = new URLSearchParams();
  for (const name of ["range", "from", "to"]) {
    const value = search.get(name);
    if (value) kept.set(name, value);
  }
  const text = kept.toString();
  return text ? `?${text}` : "";
}
