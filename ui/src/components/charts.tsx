// The charts of the dashboard: one look, units on every axis and in every tooltip.
import "@mantine/charts/styles.css";

import { AreaChart, BarChart } from "@mantine/charts";
import { Paper, Text } from "@mantine/core";
import type { ReactNode } from "react";

import { formatDateTime, formatDay, formatHour } from "./format";

/** A point of a series: its time and a figure by name. */
export type Point = { at: number } & Record<string, number>;

export interface Series {
  /** The figure's name in the points. */
  name: string;
  label?: string;
  color: string;
}

interface Props {
  data: Point[];
  series: Series[];
  /** How figures are written in the tooltip, unit included. */
  format: (value: number) => string;
  /** How they are written on the axis, if the unit stands elsewhere. */
  axis?: (value: number) => string;
  /** Milliseconds that the chart spans; long ones have days on the axis. */
  span: number;
  kind?: "area" | "bar";
  stacked?: boolean;
  label: string;
  height?: number;
}

const DAY_MS = 86_400_000;

export const SERIES_COLORS = ["water.6", "orange.6", "grape.6", "teal.6", "blue.6", "yellow.7", "gray.5"];

/** The points of a range with zeros where nothing was: a line between two far points would tell of traffic that was not. */
export function filled(points: Point[], from: number, to: number, step: number): Point[] {
  const first = points[0];
  if (!first) return [];
  const known = new Map(points.map((point) => [point.at, point]));
  const zeros = Object.fromEntries(Object.keys(first).map((name) => [name, 0]));
  const all: Point[] = [];
  const offset = first.at % step;
  for (let at = Math.floor((from - offset) / step) * step + offset; at <= to; at += step) all.push(known.get(at) ?? { ...zeros, at });
  return all;
}

export function TimeChart({ data, series, format, axis = format, span, kind = "area", stacked = false, label, height = 220 }: Props) {
  const tick = span > 3 * DAY_MS ? formatDay : span > 1.5 * DAY_MS ? formatDateTime : formatHour;
  const common = {
    h: height,
    data,
    dataKey: "at",
    series,
    valueFormatter: format,
    withLegend: series.length > 1,
    legendProps: { verticalAlign: "bottom" as const },
    tickLine: "none" as const,
    gridAxis: "x" as const,
    xAxisProps: { tickFormatter: tick, minTickGap: 32 },
    yAxisProps: { tickFormatter: axis, width: 72, allowDecimals: false },
    tooltipAnimationDuration: 0,
    tooltipProps: { labelFormatter: (at: ReactNode) => (typeof at === "number" ? formatDateTime(at) : at), isAnimationActive: false },
  };
  if (data.every((point) => series.every(({ name }) => !point[name]))) {
    return (
      <Text size="sm" c="dimmed" h={height} ta="center" pt={height / 2 - 12}>
        Nothing but zeros in this time.
      </Text>
    );
  }
  return (
    <div role="img" aria-label={label}>
      {kind === "area" ? (
        <AreaChart {...common} type={stacked ? "stacked" : "default"} curveType="monotone" withDots={false} strokeWidth={1.75} fillOpacity={0.18} areaProps={{ isAnimationActive: false }} />
      ) : (
        <BarChart {...common} type={stacked ? "stacked" : "default"} barProps={{ isAnimationActive: false, maxBarSize: 28 }} />
      )}
    </div>
  );
}

export function ChartCard({ title, note, children, actions }: { title: string; note?: ReactNode; children: ReactNode; actions?: ReactNode }) {
  return (
    <Paper p="md">
      <div style={{ display: "flex", justifyContent: "space-between", gap: "0.5rem", marginBottom: "0.75rem", flexWrap: "wrap" }}>
        <div>
          <Text fw={600} size="sm" component="h2" m={0}>
            {title}
          </Text>
          {note ? (
            <Text size="xs" c="dimmed">
              {note}
            </Text>
          ) : null}
        </div>
        {actions}
      </div>
      {children}
    </Paper>
  );
}
