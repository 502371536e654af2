import { formatCompact, formatCount, formatMoney, formatPercent } from "../../components/format";
import { StatTile, StatTiles } from "../../components/StatTile";
import { tokensOf, type Usage } from "./model";

export function UsageTiles({ usage, compare }: { usage: Usage; compare: boolean }) {
  const now = usage.totals;
  const before = compare ? usage.previous_totals : undefined;
  const trend = (a: number, b: number | undefined, goodWhen?: "up" | "down") => (b === undefined ? undefined : { now: a, before: b, goodWhen });
  return (
    <StatTiles>
      <StatTile
        label="Cost"
        value={formatMoney(now.cost_micro_usd)}
        trend={trend(now.cost_micro_usd, before?.cost_micro_usd)}
        note={now.unpriced_requests > 0 ? `${formatCount(now.unpriced_requests)} requests unpriced` : undefined}
      />
      <StatTile label="Requests" value={formatCompact(now.requests)} trend={trend(now.requests, before?.requests)} />
      <StatTile label="Tokens in" value={formatCompact(now.input_tokens + now.cache_read_tokens)} trend={trend(now.input_tokens + now.cache_read_tokens, before && before.input_tokens + before.cache_read_tokens)} note={now.cache_read_tokens > 0 ? `${formatCompact(now.cache_read_tokens)} from provider caches` : undefined} />
      <StatTile label="Tokens out" value={formatCompact(now.output_tokens)} trend={trend(now.output_tokens, before?.output_tokens)} />
      <StatTile label="Errors" value={formatPercent(now.errors, now.requests)} trend={trend(rate(now.errors, now.requests), before && rate(before.errors, before.requests), "down")} note={`${formatCount(now.errors)} requests`} />
      <StatTile label="Cost per million tokens" value={tokensOf(now) > 0 ? formatMoney(Math.round((now.cost_micro_usd / tokensOf(now)) * 1e6)) : "–"} />
    </StatTiles>
  );
}

function rate(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
