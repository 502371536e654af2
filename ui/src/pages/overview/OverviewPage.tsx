import { Alert, Anchor, Badge, Group, Paper, Stack, Table, Text, Tooltip } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { Link } from "react-router";

import { api } from "../../api/client";
import { useLive } from "../../api/live";
import type { Live, LiveTiles, Overview, Top } from "../../api/types";
import { useTimeRange } from "../../app/timeRange";
import { ChartCard, filled, type Point, TimeChart } from "../../components/charts";
import { formatCompact, formatCount, formatMoney, formatMs, formatPercent, formatRate } from "../../components/format";
import { HealthBadge } from "../../components/HealthBadge";
import { PageHeader } from "../../components/PageHeader";
import { StatTile, StatTiles } from "../../components/StatTile";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import { LatestRequests } from "./LatestRequests";
import classes from "./overview.module.css";

/** What goes on, and what went on in the time range. */
export default function OverviewPage() {
  const range = useTimeRange();
  const [now, setNow] = useState<LiveTiles | null>(null);
  const take = useCallback((message: Live) => {
    if (message.type === "tiles") setNow(message);
  }, []);
  useLive(["tiles"], take);
  const { data, error, refetch } = useQuery({
    queryKey: ["overview", range.key],
    queryFn: ({ signal }) => api.get<Overview>("/overview", range.query(), signal),
    refetchInterval: range.to_ms === undefined ? 10_000 : false,
  });
  const series = data ? filled(data.series as unknown as Point[], range.from_ms, range.to_ms ?? Date.now(), data.interval_ms ?? (range.length_ms > 3 * 86_400_000 ? 86_400_000 : 3_600_000)) : [];
  return (
    <>
      <PageHeader title="Overview" description={`${range.label}, against the time before. What stands under “At this moment” moves as calls come.`} />
      {error && !data ? <ErrorState error={error} retry={() => void refetch()} /> : null}
      {!data && !error ? <LoadingState rows={10} /> : null}
      {data ? (
        <Stack>
          <Moment now={now ?? data.live} />
          <Tiles data={data} />
          <Problems items={data.problems ?? []} />
          {data.now.requests === 0 && data.clients_total === 0 ? <FirstSteps /> : null}
          <div className={classes.charts}>
            <ChartCard title="Requests and errors">
              <TimeChart label="Requests and errors over time" data={series.map(({ at, requests = 0, errors = 0 }) => ({ at, requests, errors }))} series={[{ name: "requests", label: "Requests", color: "water.6" }, { name: "errors", label: "Errors", color: "red.6" }]} format={formatCompact} span={range.length_ms} />
            </ChartCard>
            <ChartCard title="Tokens">
              <TimeChart label="Tokens over time" stacked data={series.map(({ at, input_tokens = 0, output_tokens = 0 }) => ({ at, input_tokens, output_tokens }))} series={[{ name: "input_tokens", label: "In", color: "water.6" }, { name: "output_tokens", label: "Out", color: "orange.6" }]} format={(value) => `${formatCount(value)} tokens`} axis={formatCompact} span={range.length_ms} />
            </ChartCard>
            <ChartCard title="Cost">
              <TimeChart kind="bar" label="Cost over time" data={series.map(({ at, cost_micro_usd = 0 }) => ({ at, cost_micro_usd }))} series={[{ name: "cost_micro_usd", label: "Cost", color: "water.6" }]} format={formatMoney} span={range.length_ms} />
            </ChartCard>
          </div>
          <Providers items={data.providers} />
          <div className={classes.tops}>
            <TopTable title="Models" items={data.top_models} link={(id) => `/requests?model=${encodeURIComponent(id)}`} />
            <TopTable title="Clients" items={data.top_clients} link={(id) => `/clients/${encodeURIComponent(id)}`} />
            {data.top_groups.length > 0 ? <TopTable title="Groups" items={data.top_groups} link={(id) => `/requests?group=${encodeURIComponent(id)}`} /> : null}
          </div>
          <LatestRequests />
        </Stack>
      ) : null}
    </>
  );
}

function Moment({ now }: { now: LiveTiles }) {
  return (
    <Paper p="md" component="section" aria-label="At this moment">
      <Group gap="xl" style={{ rowGap: "0.4rem" }}>
        <Text size="sm" fw={600}>At this moment</Text>
        <Figure name="in flight" value={formatCount(now.in_flight)} />
        <Figure name="requests/s" value={formatRate(now.requests_per_second)} />
        <Figure name="errors/s" value={formatRate(now.errors_per_second)} />
        <Figure name="tokens/s" value={formatRate(now.tokens_per_second)} />
        <Figure name="active keys, 5 min" value={formatCount(now.active_keys)} />
        <Figure name="requests today" value={formatCount(now.today.requests)} />
        <Figure name="cost today" value={formatMoney(now.today.cost_micro_usd)} />
      </Group>
    </Paper>
  );
}

/** What is stored and cannot be used: the version before it still serves. */
function Problems({ items }: { items: { key: string; message: string }[] }) {
  if (items.length === 0) return null;
  return (
    <Alert color="red" variant="light" title={`${items.length} stored ${items.length === 1 ? "resource is" : "resources are"} not in force`}>
      {items.slice(0, 5).map((item) => (
        <Text key={item.key} size="sm" style={{ overflowWrap: "anywhere" }}>
          <Text span ff="monospace" size="sm">{item.key}</Text> {item.message}
        </Text>
      ))}
    </Alert>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <Text size="sm" className={classes.figure}>
      <b data-figure={name}>{value}</b> <Text span size="xs" c="dimmed">{name}</Text>
    </Text>
  );
}

function Tiles({ data: { now, previous, clients_total } }: { data: Overview }) {
  const rate = (errors: number, requests: number) => (requests === 0 ? 0 : errors / requests);
  const pair = (a: number | null | undefined, b: number | null | undefined, goodWhen?: "up" | "down") => (a == null || b == null ? undefined : { now: a, before: b, goodWhen });
  return (
    <StatTiles>
      <StatTile label="Requests" value={formatCompact(now.requests)} trend={pair(now.requests, previous.requests)} note={`${formatCount(clients_total)} ${clients_total === 1 ? "client" : "clients"}`} />
      <StatTile label="Error rate" value={formatPercent(now.errors, now.requests)} trend={pair(rate(now.errors, now.requests), rate(previous.errors, previous.requests), "down")} />
      <StatTile label="Latency, median" value={formatMs(now.latency_p50_ms)} trend={pair(now.latency_p50_ms, previous.latency_p50_ms, "down")} note={`p95 ${formatMs(now.latency_p95_ms)} · p99 ${formatMs(now.latency_p99_ms)}`} />
      <StatTile label="Time to first token" value={formatMs(now.ttft_p50_ms)} trend={pair(now.ttft_p50_ms, previous.ttft_p50_ms, "down")} note="median" />
      <StatTile label="Tokens in" value={formatCompact(now.input_tokens + now.cache_read_tokens)} trend={pair(now.input_tokens + now.cache_read_tokens, previous.input_tokens + previous.cache_read_tokens)} />
      <StatTile label="Tokens out" value={formatCompact(now.output_tokens)} trend={pair(now.output_tokens, previous.output_tokens)} />
      <StatTile label="Cost" value={formatMoney(now.cost_micro_usd)} trend={pair(now.cost_micro_usd, previous.cost_micro_usd)} note={now.unpriced_requests > 0 ? `${formatCount(now.unpriced_requests)} unpriced` : undefined} />
      <StatTile label="Cache hits" value={formatCompact(now.cache_hits)} note={formatPercent(now.cache_hits, now.requests)} />
    </StatTiles>
  );
}

function FirstSteps() {
  return (
    <Paper>
      <EmptyState
        title="Nothing has passed through yet"
        action={
          <Group gap="md">
            <Anchor component={Link} to="/providers/new" underline="always">Add a provider</Anchor>
            <Anchor component={Link} to="/clients?new=1" underline="always">Create a client</Anchor>
          </Group>
        }
      >
        Add a provider with its key, create a client, and give its key to an application.
      </EmptyState>
    </Paper>
  );
}

function Providers({ items }: { items: Overview["providers"] }) {
  if (items.length === 0) return null;
  return (
    <Paper p="md" component="section" aria-label="Providers">
      <Group gap="lg">
        <Text size="sm" fw={600}>Providers</Text>
        {items.map((provider) => (
          <Tooltip key={provider.id} label={`${formatCount(provider.requests)} requests, ${formatCount(provider.errors)} errors`}>
            <Group gap={6} wrap="nowrap">
              {provider.registered === false ? <Text size="sm">{provider.id}</Text> : <Anchor component={Link} to={`/providers/${encodeURIComponent(provider.id)}`} fz="sm">{provider.id}</Anchor>}
              <HealthBadge health={provider.health} />
              <Text size="xs" c="dimmed">{formatMs(provider.latency_ms)}</Text>
            </Group>
          </Tooltip>
        ))}
      </Group>
    </Paper>
  );
}

function TopTable({ title, items, link }: { title: string; items: Top[]; link: (id: string) => string }) {
  const most = Math.max(1, ...items.map((item) => item.requests));
  return (
    <Paper style={{ overflow: "hidden" }}>
      <Text fw={600} size="sm" component="h2" m={0} p="md" pb={4}>
        Top {title.toLowerCase()}
      </Text>
      {items.length === 0 ? <Text size="sm" c="dimmed" p="md" pt={0}>None in this time.</Text> : (
        <Table fz={13} aria-label={`Top ${title.toLowerCase()}`} className={classes.top} verticalSpacing={5}>
          <Table.Thead>
            <Table.Tr><Table.Th>{title.slice(0, -1)}</Table.Th><Table.Th ta="right">Requests</Table.Th><Table.Th ta="right">Tokens</Table.Th><Table.Th ta="right">Cost</Table.Th></Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.slice(0, 6).map((item) => (
              <Table.Tr key={item.id} style={{ backgroundImage: `linear-gradient(var(--mantine-primary-color-light), var(--mantine-primary-color-light))`, backgroundSize: `${(item.requests / most) * 100}% 100%`, backgroundRepeat: "no-repeat" }}>
                <Table.Td className={classes.name}><Anchor component={Link} to={link(item.id)} fz={13} c="var(--mantine-color-text)">{item.name}</Anchor>{item.errors > 0 ? <Badge size="xs" variant="light" color="red" ml={6}>{formatCompact(item.errors)}</Badge> : null}</Table.Td>
                <Table.Td ta="right">{formatCompact(item.requests)}</Table.Td>
                <Table.Td ta="right">{formatCompact(item.tokens)}</Table.Td>
                <Table.Td ta="right">{formatMoney(item.cost_micro_usd)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Paper>
  );
}
