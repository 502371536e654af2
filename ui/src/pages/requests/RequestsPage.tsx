import { Button, Center, Loader, Paper, Stack, Text } from "@mantine/core";
import { IconDownload, IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useSearchParams } from "react-router";

import { api, apiUrl } from "../../api/client";
import type { Page, RequestRow } from "../../api/types";
import { useTimeRange } from "../../app/timeRange";
import { formatCount } from "../../components/format";
import { PageHeader } from "../../components/PageHeader";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import { FilterBar } from "./FilterBar";
import { canFollow, FILTERS, filtersOf, type Filters } from "./filters";
import classes from "./requests.module.css";
import { RequestDrawer } from "./RequestDrawer";
import { RequestsTable } from "./RequestsTable";
import { useFeed, type Feed } from "./useFeed";

const PAGE = 50;

/** The request log: what was asked, by whom, what came back, what it cost; new ones as they come. */
export default function RequestsPage() {
  const [search, setSearch] = useSearchParams();
  const range = useTimeRange();
  const filterKey = FILTERS.map((name) => search.get(name) ?? "").join("|");
  // The key stands for the parameters that are read.
  const filters = useMemo(() => filtersOf(search), [filterKey]);
  const [wanted, setWanted] = useState(true);
  const followable = canFollow(filters) && range.to_ms === undefined;
  const feed = useFeed(filters, wanted && followable);
  const log = useInfiniteQuery({
    queryKey: ["requests", range.key, filters],
    queryFn: ({ pageParam, signal }) => api.get<Page<RequestRow>>("/requests", { ...range.query(), ...filters, limit: PAGE, after: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    refetchOnWindowFocus: false,
  });
  const setFilters = (next: Filters) => {
    feed.clear();
    setSearch((old) => {
      const params = new URLSearchParams(old);
      for (const name of FILTERS) {
        const value = next[name];
        if (value) params.set(name, value);
        else params.delete(name);
      }
      return params;
    });
  };
  const open = (id: string | null) =>
    setSearch(
      (old) => {
        const params = new URLSearchParams(old);
        if (id) params.set("request", id);
        else params.delete("request");
        return params;
      },
      { replace: id === null },
    );
  const loaded = log.data?.pages.flatMap((page) => page.items);
  const rows = useMemo(() => merged(feed.rows, loaded ?? []), [feed.rows, loaded]);
  const fresh = useMemo(() => new Set(feed.rows.map((row) => row.id)), [feed.rows]);
  const csv = apiUrl("/requests.csv", { ...range.query(), ...filters });
  return (
    <>
      <PageHeader
        title="Requests"
        description="Every call that passed the gateway, those that were refused included."
        actions={
          <>
            <ShowAsApiCall method="GET" path={apiUrl("/requests", { ...range.query(), ...filters, limit: PAGE }).replace(/^\/api\/v1/, "")} />
            <Button component="a" href={csv} download variant="default" size="xs" leftSection={<IconDownload size={14} aria-hidden />}>
              CSV
            </Button>
          </>
        }
      />
      <Stack gap="md">
        <FilterBar filters={filters} onChange={setFilters} />
        <FeedBar feed={feed} wanted={wanted} followable={followable} onWanted={setWanted} />
        {log.error ? <ErrorState error={log.error} retry={() => void log.refetch()} /> : null}
        {log.isPending ? <LoadingState rows={10} /> : null}
        {loaded && rows.length === 0 ? <Empty filtered={Object.keys(filters).length > 0} onClear={() => setFilters({})} /> : null}
        {rows.length > 0 ? (
          <Paper p={{ base: "xs", sm: 0 }} style={{ overflow: "hidden" }}>
            <RequestsTable rows={rows} fresh={fresh} onOpen={open} />
          </Paper>
        ) : null}
        {log.hasNextPage ? (
          <Center>
            <Button variant="default" loading={log.isFetchingNextPage} onClick={() => void log.fetchNextPage()}>
              Load older requests
            </Button>
          </Center>
        ) : rows.length > 0 && !log.isPending ? (
          <Text size="xs" c="dimmed" ta="center">
            That is all in this range.
          </Text>
        ) : null}
      </Stack>
      <RequestDrawer id={search.get("request")} onClose={() => open(null)} />
    </>
  );
}

function merged(live: RequestRow[], loaded: RequestRow[]): RequestRow[] {
  const known = new Set(loaded.map((row) => row.id));
  return [...live.filter((row) => !known.has(row.id)), ...loaded].sort((a, b) => b.started_at - a.started_at);
}

function FeedBar({ feed, wanted, followable, onWanted }: { feed: Feed; wanted: boolean; followable: boolean; onWanted: (wanted: boolean) => void }) {
  const running = wanted && followable;
  return (
    <div className={classes.feed}>
      <Button
        size="xs"
        variant={running ? "light" : "default"}
        disabled={!followable}
        leftSection={running ? <IconPlayerPause size={14} aria-hidden /> : <IconPlayerPlay size={14} aria-hidden />}
        onClick={() => onWanted(!wanted)}
      >
        {running ? "Pause the live feed" : "Follow live"}
      </Button>
      {running ? (
        <>
          <span className={classes.dot} data-on={feed.connected} aria-hidden />
          {feed.connected ? null : <Loader size={12} aria-hidden />}
          <Text size="xs" c="dimmed" role="status">
            {feed.connected ? `${formatCount(feed.rows.length)} new` : "connecting"}
            {feed.skipped > 0 ? `, ${formatCount(feed.skipped)} more came too fast to show; reload the log to see them` : ""}
          </Text>
          {feed.skipped > 0 || feed.rows.length > 0 ? (
            <Button size="compact-xs" variant="subtle" onClick={feed.clear}>
              Clear new rows
            </Button>
          ) : null}
        </>
      ) : (
        <Text size="xs" c="dimmed">
          {followable ? "Paused: the list stands still." : "These filters, or a range that has ended, cannot be followed live."}
        </Text>
      )}
    </div>
  );
}

function Empty({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  if (filtered) {
    return (
      <EmptyState title="No request passes these filters" action={<Button variant="default" onClick={onClear}>Clear all filters</Button>}>
        Widen the time range or take a filter away.
      </EmptyState>
    );
  }
  return <EmptyState title="No requests in this time">As soon as a client makes a call, it shows here within a second.</EmptyState>;
}
