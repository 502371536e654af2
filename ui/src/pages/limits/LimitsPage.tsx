import { Anchor, Badge, Button, Center, Paper, SegmentedControl, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { api } from "../../api/client";
import type { LimitStanding, Page } from "../../api/types";
import { formatAgo, formatCount } from "../../components/format";
import { amount, LimitBar } from "../../components/LimitBar";
import { PageHeader } from "../../components/PageHeader";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";

const SCOPES = [{ value: "", label: "All" }, { value: "client", label: "Clients" }, { value: "group", label: "Groups" }, { value: "route", label: "Routes" }];

/** All limits that anybody has, the fullest first. */
export default function LimitsPage() {
  const [scope, setScope] = useState("");
  const [text, setText] = useState("");
  const [search] = useDebouncedValue(text.trim(), 250);
  const list = useInfiniteQuery({
    queryKey: ["limits", "all", scope, search],
    queryFn: ({ pageParam, signal }) => api.get<Page<LimitStanding>>("/limits", { scope, search, sort: "-fill", limit: 100, after: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  });
  const total = list.data?.pages[0]?.total ?? 0;
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <PageHeader title="Limits and budgets" description="The fullest first. A call that would pass a limit is refused before it is made." actions={<ShowAsApiCall method="GET" path="/limits?sort=-fill" />} />
      <Stack>
        <div style={{ display: "flex", gap: "0.75rem", flexWrap: "wrap", alignItems: "center" }}>
          <SegmentedControl size="xs" aria-label="Whose limits" data={SCOPES} value={scope} onChange={setScope} />
          <TextInput size="sm" aria-label="Search limits" placeholder="Whose, or which" leftSection={<IconSearch size={14} aria-hidden />} value={text} onChange={(event) => setText(event.currentTarget.value)} />
        </div>
        {list.error && !list.data ? <ErrorState error={list.error} retry={() => void list.refetch()} /> : null}
        {list.isPending ? <LoadingState /> : null}
        {list.data && items.length === 0 ? <EmptyState title={search || scope ? "No limit passes these filters" : "Nobody has a limit"}>Limits are set on clients and groups.</EmptyState> : null}
        {items.length > 0 ? (
          <Paper style={{ overflow: "hidden" }}>
            <Table.ScrollContainer minWidth={700} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
              <Table aria-label="Limits" fz={13}>
                <Table.Thead><Table.Tr><Table.Th>Whose</Table.Th><Table.Th w="45%">Used</Table.Th><Table.Th ta="right">Left</Table.Th><Table.Th>Starts anew</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>
                  {items.map((one) => (
                    <Table.Tr key={`${one.scope}-${one.subject}-${one.name}-${one.model ?? ""}`}>
                      <Table.Td style={{ overflowWrap: "anywhere" }}>
                        {one.scope === "client" ? <Anchor component={Link} to={`/clients/${encodeURIComponent(one.subject)}?tab=limits`} fz="sm">{one.subject}</Anchor> : <Text size="sm">{one.subject}</Text>}
                        <Badge size="xs" variant="default">{one.scope}</Badge>
                      </Table.Td>
                      <Table.Td><LimitBar standing={one} compact /></Table.Td>
                      <Table.Td ta="right">{one.remaining <= 0 ? <Badge size="sm" variant="light" color="red">used up</Badge> : amount(one, one.remaining)}</Table.Td>
                      <Table.Td>{one.resets_at === null ? "never" : formatAgo(one.resets_at)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          </Paper>
        ) : null}
        {total > items.length ? <Text size="xs" c="dimmed" ta="center">The fullest {formatCount(items.length)} of {formatCount(total)}; search for others.</Text> : null}
        {list.hasNextPage ? <Center><Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>Show more limits</Button></Center> : null}
      </Stack>
    </>
  );
}
