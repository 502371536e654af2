import { Progress, Text } from "@mantine/core";

import type { LimitStanding } from "../api/types";
import { formatAgo, formatCompact, formatCount, formatMoney } from "./format";
import classes from "./LimitBar.module.css";

/** How full a limit is: what was used, what calls under way have reserved, and when it starts anew. */
export function LimitBar({ standing, compact = false }: { standing: LimitStanding; compact?: boolean }) {
  const { limit, used, reserved, resets_at } = standing;
  const share = limit > 0 ? Math.min(100, (used / limit) * 100) : 0;
  const held = limit > 0 ? Math.min(100 - share, (reserved / limit) * 100) : 0;
  const color = share >= 100 ? "red" : share >= 80 ? "orange" : "water";
  const title = limitTitle(standing.name);
  return (
    <div className={classes.bar}>
      <div className={classes.head}>
        <Text size="xs" truncate>
          {title}
          {standing.model ? <Text span size="xs" c="dimmed"> · {standing.model}</Text> : null}
        </Text>
        <Text size="xs" c="dimmed" className={classes.figures} title={`${exact(standing, used)} of ${exact(standing, limit)}`}>
          {amount(standing, used)} / {amount(standing, limit)}
        </Text>
      </div>
      <Progress.Root size={compact ? "sm" : "md"}>
        <Progress.Section value={share} color={color} aria-label={`${title}: ${exact(standing, used)} of ${exact(standing, limit)} used`} />
        {held > 0 ? <Progress.Section value={held} color={color} striped aria-label={`${exact(standing, reserved)} reserved`} /> : null}
      </Progress.Root>
      {compact || resets_at === null ? null : (
        <Text size="xs" c="dimmed">
          starts anew {formatAgo(resets_at)}
        </Text>
      )}
    </div>
  );
}

/** A figure in the limit's unit, short. */
export function amount(standing: Pick<LimitStanding, "unit">, value: number): string {
  return standing.unit === "micro_usd" ? formatMoney(value) : formatCompact(value);
}

function exact(standing: Pick<LimitStanding, "unit">, value: number): string {
  return standing.unit === "micro_usd" ? formatMoney(value) : `${formatCount(value)}${standing.unit === "tokens" ? " tokens" : ""}`;
}

/** `input_tokens_per_day` → "Input tokens per day"; a budget says what it is of. */
export function limitTitle(name: string): string {
  const text = name.replace("budget_micro_usd", "budget").replace(/_/g, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
