import { Badge, Button, Paper, Stack, Table, Text } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "../../api/client";
import { useMay } from "../../api/session";
import { useTimeRange } from "../../app/timeRange";
import { ChartCard, TimeChart } from "../../components/charts";
import { confirm } from "../../components/confirm";
import { formatAgo, formatBytes, formatCompact, formatCount, formatMoney, formatPercent } from "../../components/format";
import { notifyDone, notifyFailed } from "../../components/notify";
import { PageHeader } from "../../components/PageHeader";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { StatTile, StatTiles } from "../../components/StatTile";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import type { CacheEntry, CacheReport } from "../../api/types";

/** What the response cache gave, and what lies in it. */
export default function CachePage() {
  const range = useTimeRange();
  const queries = useQueryClient();
  const mayFlush = useMay("admin");
  const { data, error, refetch } = useQuery({ queryKey: ["cache", range.key], queryFn: ({ signal }) => api.get<CacheReport>("/cache", range.query(), signal), refetchInterval: 10_000 });
  const flush = useMutation({
    mutationFn: () => api.delete<{ removed: number }>("/cache"),
    onSuccess: ({ removed }) => {
      notifyDone(`${formatCount(removed)} ${removed === 1 ? "entry" : "entries"} removed`);
      void queries.invalidateQueries({ queryKey: ["cache"] });
    },
    onError: (failed) => notifyFailed(failed),
  });
  const ask = async () => {
    const yes = await confirm({
      title: "Flush the cache?",
      body: `All ${formatCount(data?.entries ?? 0)} entries go. The next call of each question is answered by its provider again, and paid for.`,
      action: "Flush",
      danger: true,
    });
    if (yes) flush.mutate();
  };
  return (
    <>
      <PageHeader
        title="Cache"
        description="Answers that were given without asking a provider again."
        actions={
          <>
            <ShowAsApiCall method="DELETE" path="/cache" />
            <Button size="xs" variant="default" c="red" leftSection={<IconTrash size={14} aria-hidden />} loading={flush.isPending} disabled={!mayFlush || !data || data.entries === 0} onClick={() => void ask()}>
              Flush
            </Button>
          </>
        }
      />
      {error ? <ErrorState error={error} retry={() => void refetch()} /> : null}
      {!data && !error ? <LoadingState /> : null}
      {data ? <Report report={data} span={range.length_ms} /> : null}
    </>
  );
}

function Report({ report, span }: { report: CacheReport; span: number }) {
  const lookups = report.hits + report.misses;
  if (report.enabled_on.length === 0 && lookups === 0 && report.entries === 0) {
    return (
      <EmptyState title="The cache is not in use">
        Put the plugin ai-cache on a route, a service or a client: equal questions are then answered from memory or Redis, and similar ones too if you want.
      </EmptyState>
    );
  }
  return (
    <Stack>
      <StatTiles>
        <StatTile label="Hit rate" value={formatPercent(report.hits, lookups)} note={`${formatCount(lookups)} look-ups`} />
        <StatTile label="Hits" value={formatCompact(report.hits)} note={report.semantic_hits > 0 ? `${formatCount(report.semantic_hits)} by meaning` : "exact"} />
        <StatTile label="Misses" value={formatCompact(report.misses)} note={report.bypasses > 0 ? `${formatCount(report.bypasses)} bypassed` : undefined} />
        <StatTile label="Tokens saved" value={formatCompact(report.saved_tokens)} />
        <StatTile label="Money saved" value={formatMoney(report.saved_micro_usd)} />
        <StatTile label="Entries" value={formatCompact(report.entries)} note={formatBytes(report.bytes)} />
      </StatTiles>
      {report.series.length > 1 ? (
        <ChartCard title="Look-ups" note="hits and misses">
          <TimeChart
            kind="bar"
            stacked
            label="Cache hits and misses over time"
            data={report.series.map(({ at, hits, misses }) => ({ at, hits, misses }))}
            series={[{ name: "hits", label: "Hits", color: "teal.6" }, { name: "misses", label: "Misses", color: "gray.5" }]}
            format={formatCompact}
            span={span}
          />
        </ChartCard>
      ) : null}
      <Text size="sm">
        In use on{" "}
        {report.enabled_on.length === 0 ? "nothing at this moment" : report.enabled_on.map((place) => <Badge key={place} size="sm" variant="default" mr={4}>{place}</Badge>)}
      </Text>
      <Entries items={report.items} all={report.entries} />
    </Stack>
  );
}

function Entries({ items, all }: { items: CacheEntry[]; all: number }) {
  if (items.length === 0) return null;
  return (
    <Paper style={{ overflow: "hidden" }}>
      <Table.ScrollContainer minWidth={680} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table aria-label="Cache entries" highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Key</Table.Th>
              <Table.Th>Found by</Table.Th>
              <Table.Th>Format</Table.Th>
              <Table.Th ta="right">Size</Table.Th>
              <Table.Th>Stored</Table.Th>
              <Table.Th>Expires</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((entry) => (
              <Table.Tr key={entry.key}>
                <Table.Td ff="monospace" fz="xs" maw={220} style={{ overflow: "hidden", textOverflow: "ellipsis" }}>{entry.key}</Table.Td>
                <Table.Td>{entry.kind}</Table.Td>
                <Table.Td>{entry.format ?? "–"}</Table.Td>
                <Table.Td ta="right">{formatBytes(entry.bytes)}</Table.Td>
                <Table.Td>{entry.created_at === null ? "–" : formatAgo(entry.created_at)}</Table.Td>
                <Table.Td>{entry.expires_at === null ? "never" : formatAgo(entry.expires_at)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {all > items.length ? (
        <Text size="xs" c="dimmed" p="sm">
          {formatCount(items.length)} of {formatCount(all)} entries, the newest first.
        </Text>
      ) : null}
    </Paper>
  );
}
