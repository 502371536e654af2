import { Button, CloseButton, Group, Paper, SegmentedControl, Select, Stack, Switch, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useSearchParams } from "react-router";

import { api, apiUrl } from "../../api/client";
import { useTimeRange } from "../../app/timeRange";
import { ChartCard } from "../../components/charts";
import { PageHeader } from "../../components/PageHeader";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import { DIMENSIONS, periodOf, type Dimension, type Measure, type Usage } from "./model";
import { UsageChart } from "./UsageChart";
import { UsageTable } from "./UsageTable";
import { UsageTiles } from "./UsageTiles";

const FILTERS = ["client", "group", "model", "provider", "route", "credential", "tag", "status"] as const;
const MEASURES = [
  { value: "cost", label: "Cost" },
  { value: "tokens", label: "Tokens" },
  { value: "requests", label: "Requests" },
];

/** Who used what, and what it cost. */
export default function UsagePage() {
  const [search, setSearch] = useSearchParams();
  const range = useTimeRange();
  const by = (DIMENSIONS.find((one) => one.value === search.get("by"))?.value ?? "client") as Dimension;
  const measure = (MEASURES.find((one) => one.value === search.get("measure"))?.value ?? "cost") as Measure;
  const compare = search.get("compare") !== "no";
  const filters = Object.fromEntries(FILTERS.map((name) => [name, search.get(name)]).filter(([, value]) => value)) as Record<string, string>;
  const step = periodOf(range.length_ms);
  const set = (name: string, value: string | null) =>
    setSearch((old) => {
      const next = new URLSearchParams(old);
      if (value) next.set(name, value);
      else next.delete(name);
      return next;
    });
  const table = { by, period: by === "none" ? step.period : "none", compare, limit: 500, ...filters };
  const rows = useQuery({
    queryKey: ["usage", "table", range.key, table],
    queryFn: ({ signal }) => api.get<Usage>("/usage", { ...range.query(), ...table }, signal),
    placeholderData: keepPreviousData,
  });
  const series = useQuery({
    queryKey: ["usage", "series", range.key, by, step.period, filters],
    queryFn: ({ signal }) => api.get<Usage>("/usage", { ...range.query(), by, period: step.period, limit: 5000, ...filters }, signal),
    placeholderData: keepPreviousData,
  });
  const dimension = DIMENSIONS.find((one) => one.value === by)?.label ?? "Client";
  return (
    <>
      <PageHeader
        title="Usage and cost"
        description={`${range.label}. Money counts what is priced; what has no price is shown as unpriced.`}
        actions={
          <>
            <ShowAsApiCall method="GET" path={apiUrl("/usage", { ...range.query(), ...table }).replace(/^\/api\/v1/, "")} />
            <Button component="a" href={apiUrl("/usage.csv", { ...range.query(), ...table })} download variant="default" size="xs" leftSection={<IconDownload size={14} aria-hidden />}>
              CSV
            </Button>
          </>
        }
      />
      <Stack>
        <Paper p="sm">
          <Group gap="md" align="flex-end">
            <Select size="xs" w={140} label="By" data={DIMENSIONS.map((one) => ({ ...one }))} value={by} allowDeselect={false} onChange={(value) => set("by", value)} />
            <div>
              <Text size="xs" fw={500} mb={2}>
                Chart of
              </Text>
              <SegmentedControl size="xs" aria-label="Chart of" data={MEASURES} value={measure} onChange={(value) => set("measure", value)} />
            </div>
            <Switch label="Compare with the period before" checked={compare} mb={6} onChange={(event) => set("compare", event.currentTarget.checked ? null : "no")} />
            {Object.entries(filters).map(([name, value]) => (
              <Group key={name} gap={2} mb={4}>
                <Text size="xs">
                  {name}: {value}
                </Text>
                <CloseButton size="xs" aria-label={`Remove filter ${name}`} onClick={() => set(name, null)} />
              </Group>
            ))}
          </Group>
        </Paper>
        {rows.error ? <ErrorState error={rows.error} retry={() => void rows.refetch()} /> : null}
        {rows.isPending ? <LoadingState /> : null}
        {rows.data ? <UsageTiles usage={rows.data} compare={compare} /> : null}
        {series.data && rows.data && rows.data.totals.requests > 0 ? (
          <ChartCard title={`${MEASURES.find((one) => one.value === measure)?.label} by ${dimension.toLowerCase()}`} note={`per ${step.period}`}>
            <UsageChart rows={series.data.rows} measure={measure} range={range} step={step.ms} />
          </ChartCard>
        ) : null}
        {rows.data && rows.data.rows.length === 0 ? (
          <EmptyState title="Nothing was used in this time">Choose a longer time range at the top, or make a call with a client’s key.</EmptyState>
        ) : null}
        {rows.data && rows.data.rows.length > 0 ? <UsageTable usage={rows.data} by={by} dimension={dimension} compare={compare} onPick={(key) => set(by, key)} /> : null}
      </Stack>
    </>
  );
}
