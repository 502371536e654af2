import { useMemo } from "react";

import type { TimeRange } from "../../app/timeRange";
import { SERIES_COLORS, TimeChart } from "../../components/charts";
import { formatCompact, formatCount, formatMoney } from "../../components/format";
import { chartOf, type Measure, type UsageRow } from "./model";

const WORDS: Record<Measure, string> = { cost: "Cost in US dollars", tokens: "Tokens", requests: "Requests" };

export function UsageChart({ rows, measure, range, step }: { rows: UsageRow[]; measure: Measure; range: TimeRange; step: number }) {
  const { points, keys } = useMemo(() => chartOf(rows, measure, range.from_ms, range.to_ms ?? Date.now(), step), [rows, measure, range.from_ms, range.to_ms, step]);
  return (
    <TimeChart
      kind="bar"
      stacked
      label={`${WORDS[measure]} over time`}
      data={points}
      series={keys.map(({ key, name }, index) => ({ name: key, label: name, color: key === "others" ? "gray.5" : (SERIES_COLORS[index] ?? "gray.5") }))}
      format={measure === "cost" ? formatMoney : (value) => `${formatCount(value)}${measure === "tokens" ? " tokens" : ""}`}
      axis={measure === "cost" ? formatMoney : formatCompact}
      span={range.length_ms}
    />
  );
}
