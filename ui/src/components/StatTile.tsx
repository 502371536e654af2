import { Paper, Text } from "@mantine/core";
import { Children, type ReactNode } from "react";

import classes from "./StatTile.module.css";

interface Props {
  label: string;
  value: ReactNode;
  /** Small words under the value. */
  note?: ReactNode;
  /** This period and the one before; shown as a change. */
  trend?: { now: number; before: number; goodWhen?: "up" | "down" };
}

export function StatTile({ label, value, note, trend }: Props) {
  return (
    <Paper p="md" className={classes.tile}>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text className={classes.value}>{value}</Text>
      <div className={classes.note}>
        {trend ? <Trend {...trend} /> : null}
        {note ? (
          <Text size="xs" c="dimmed" component="span">
            {note}
          </Text>
        ) : null}
      </div>
    </Paper>
  );
}

function Trend({ now, before, goodWhen }: { now: number; before: number; goodWhen?: "up" | "down" }) {
  if (before === 0 && now === 0) return null;
  if (before === 0) {
    return (
      <Text size="xs" c="dimmed" component="span">
        none before
      </Text>
    );
  }
  const change = (now - before) / before;
  if (Math.abs(change) < 0.005) {
    return (
      <Text size="xs" c="dimmed" component="span">
        as before
      </Text>
    );
  }
  const up = change > 0;
  const color = goodWhen === undefined ? "dimmed" : up === (goodWhen === "up") ? "teal" : "red";
  const size = Math.abs(change) >= 10 ? `${Math.round(Math.abs(change) + (up ? 1 : 0))}×` : `${(Math.abs(change) * 100).toFixed(Math.abs(change) < 0.1 ? 1 : 0)} %`;
  return (
    <Text size="xs" c={color} component="span" title="Against the period before">
      <span aria-hidden>{up ? "▲" : "▼"}</span> {size} <span className={classes.spoken}>{up ? "more" : "less"} than before</span>
    </Text>
  );
}

/** Tiles in full rows: up to six beside each other, more in rows of four; fewer where there is no room. */
export function StatTiles({ children }: { children: ReactNode }) {
  const count = Children.toArray(children).length;
  return (
    <div className={classes.tiles} data-columns={count <= 6 ? count : 4}>
      {children}
    </div>
  );
}
