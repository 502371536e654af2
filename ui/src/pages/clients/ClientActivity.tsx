import { Anchor, Group, Paper, Stack, Text } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "react-router";

import { api } from "../../api/client";
import type { Page, RequestRow } from "../../api/types";
import { useTimeRange } from "../../app/timeRange";
import { ChartCard } from "../../components/charts";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import { RequestsTable } from "../requests/RequestsTable";
import { periodOf, type Usage } from "../usage/model";
import { UsageChart } from "../usage/UsageChart";
import { UsageTiles } from "../usage/UsageTiles";

/** What one client used in the time range, by model, and its latest requests. */
export function ClientActivity({ id }: { id: string }) {
  const range = useTimeRange();
  const go = useNavigate();
  const step = periodOf(range.length_ms);
  const usage = useQuery({
    queryKey: ["usage", "client", id, range.key],
    queryFn: ({ signal }) => api.get<Usage>("/usage", { ...range.query(), by: "model", period: step.period, client: id, compare: true, limit: 5000 }, signal),
    placeholderData: keepPreviousData,
  });
  const requests = useQuery({
    queryKey: ["requests", "client", id, range.key],
    queryFn: ({ signal }) => api.get<Page<RequestRow>>("/requests", { ...range.query(), client: id, limit: 20 }, signal),
  });
  const error = usage.error ?? requests.error;
  if (error) return <ErrorState error={error} retry={() => { void usage.refetch(); void requests.refetch(); }} />;
  if (!usage.data || !requests.data) return <LoadingState />;
  if (usage.data.totals.requests === 0 && requests.data.items.length === 0) return <EmptyState title="It did nothing in this time">Choose a longer time range at the top.</EmptyState>;
  return (
    <Stack>
      <UsageTiles usage={usage.data} compare />
      <ChartCard title="Tokens by model" note={`per ${step.period}`}>
        <UsageChart rows={usage.data.rows} measure="tokens" range={range} step={step.ms} />
      </ChartCard>
      <Paper style={{ overflow: "hidden" }}>
        <Group justify="space-between" p="md" pb="xs">
          <Text fw={600} size="sm" component="h2" m={0}>Latest requests</Text>
          <Anchor component={Link} to={`/requests?client=${encodeURIComponent(id)}`} fz="sm">All of them</Anchor>
        </Group>
        <RequestsTable rows={requests.data.items} onOpen={(request) => void go(`/requests?client=${encodeURIComponent(id)}&request=${encodeURIComponent(request)}`)} />
      </Paper>
    </Stack>
  );
}
