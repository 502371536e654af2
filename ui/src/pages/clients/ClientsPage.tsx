import { Anchor, Badge, Button, Checkbox, Group, Menu, Paper, Select, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconChevronDown, IconDownload, IconPlus, IconSearch } from "@tabler/icons-react";
import { keepPreviousData, useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { Link, useSearchParams } from "react-router";

import { api, apiUrl } from "../../api/client";
import { useLive } from "../../api/live";
import { useMay } from "../../api/session";
import type { ClientRow, Live, Page } from "../../api/types";
import { confirm } from "../../components/confirm";
import { formatAgo, formatCompact, formatMoney } from "../../components/format";
import { LimitBar } from "../../components/LimitBar";
import { notifyDone, notifyFailed } from "../../components/notify";
import { PageHeader } from "../../components/PageHeader";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import classes from "./clients.module.css";
import { CreateClient } from "./CreateClient";
import { TagDialog } from "./TagDialog";

const SORTS = [
  { value: "name", label: "By name" },
  { value: "-cost_today", label: "By cost today" },
  { value: "-requests_today", label: "By requests today" },
  { value: "-seen_at", label: "Last seen first" },
];

/** Who may call, with what, how much of it is used. */
export function ClientsPage() {
  const [search, setSearch] = useSearchParams();
  const mayWrite = useMay("admin");
  const queries = useQueryClient();
  const [text, setText] = useState(search.get("search") ?? "");
  const [wanted] = useDebouncedValue(text.trim(), 250);
  const [sort, setSort] = useState("name");
  const [active, setActive] = useState<string | null>(null);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [figures, setFigures] = useState<ReadonlyMap<string, { requests_today: number; cost_today_micro_usd: number; seen_at: number }>>(new Map());
  const tag = search.get("tag");
  const list = useInfiniteQuery({
    queryKey: ["clients", "list", wanted, sort, active, tag],
    queryFn: ({ pageParam, signal }) => api.get<Page<ClientRow>>("/clients", { search: wanted, sort, active, tag, limit: 50, after: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
  });
  const take = useCallback((message: Live) => {
    if (message.type === "clients") setFigures((old) => new Map([...old, ...message.items.map((item) => [item.id, item] as const)]));
  }, []);
  useLive(["clients"], take);
  const bulk = useMutation({
    mutationFn: (body: { ids: string[]; action: string; tag?: string }) => api.post<{ done: string[]; failed: { id: string; message: string }[] }>("/clients/bulk", body),
    onSuccess: ({ done, failed }) => {
      if (failed.length > 0) notifyFailed(failed.map((one) => `${one.id}: ${one.message}`).join("; "), `${failed.length} could not be changed`);
      if (done.length > 0) notifyDone(`${done.length} changed`);
      setPicked(new Set());
      void queries.invalidateQueries({ queryKey: ["clients"] });
    },
    onError: (error) => notifyFailed(error),
  });
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  const ids = [...picked].filter((id) => rows.some((row) => row.id === id));
  const removeAll = async () => {
    const yes = await confirm({ title: `Delete ${ids.length} ${ids.length === 1 ? "client" : "clients"}?`, body: "Their keys stop working with the next request. What they used stays in the books.", action: "Delete", danger: true });
    if (yes) bulk.mutate({ ids, action: "delete" });
  };
  const [tagging, setTagging] = useState<"tag" | "untag" | null>(null);
  const creating = search.get("new") !== null;
  const setCreating = (on: boolean) =>
    setSearch((old) => {
      const next = new URLSearchParams(old);
      if (on) next.set("new", "1");
      else next.delete("new");
      return next;
    });
  const create = mayWrite ? <Button size="xs" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => setCreating(true)}>New client</Button> : null;
  const filtered = wanted !== "" || active !== null || tag !== null;
  return (
    <>
      <PageHeader
        title="Clients"
        description="Each has keys, limits and books of its own."
        actions={<><Button component="a" href={apiUrl("/clients/export.csv")} download variant="default" size="xs" leftSection={<IconDownload size={14} aria-hidden />}>CSV</Button>{create}</>}
      />
      <Stack>
        <Group gap="sm" align="flex-end" role="search" aria-label="Filter clients">
          <TextInput w={{ base: "100%", xs: 260 }} aria-label="Search clients" placeholder="Name, id, owner, tag" leftSection={<IconSearch size={14} aria-hidden />} value={text} onChange={(event) => setText(event.currentTarget.value)} />
          <Select w={170} aria-label="Sort" data={SORTS} value={sort} allowDeselect={false} onChange={(value) => setSort(value ?? "name")} />
          <Select w={150} aria-label="Status" placeholder="Any status" clearable data={[{ value: "true", label: "Active" }, { value: "false", label: "Switched off" }]} value={active} onChange={setActive} />
          {tag ? <Button variant="default" size="xs" onClick={() => setSearch((old) => { const next = new URLSearchParams(old); next.delete("tag"); return next; })}>Tag: {tag} ×</Button> : null}
          {mayWrite && ids.length > 0 ? (
            <Menu>
              <Menu.Target>
                <Button variant="light" size="sm" rightSection={<IconChevronDown size={14} aria-hidden />} loading={bulk.isPending}>{ids.length} chosen</Button>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item onClick={() => bulk.mutate({ ids, action: "enable" })}>Switch on</Menu.Item>
                <Menu.Item onClick={() => bulk.mutate({ ids, action: "disable" })}>Switch off</Menu.Item>
                <Menu.Item onClick={() => setTagging("tag")}>Tag…</Menu.Item>
                <Menu.Item onClick={() => setTagging("untag")}>Take a tag away…</Menu.Item>
                <Menu.Item c="red" onClick={() => void removeAll()}>Delete…</Menu.Item>
              </Menu.Dropdown>
            </Menu>
          ) : null}
        </Group>
        {list.error ? <ErrorState error={list.error} retry={() => void list.refetch()} /> : null}
        {list.isPending ? <LoadingState /> : null}
        {list.data && rows.length === 0 ? (filtered ? <EmptyState title="No client passes these filters" /> : <EmptyState title="No clients yet" action={create}>A client is an application or a person that calls the gateway with a key of its own.</EmptyState>) : null}
        {rows.length > 0 ? (
          <Paper style={{ overflow: "hidden" }}>
            <Table.ScrollContainer minWidth={880} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
              <Table highlightOnHover aria-label="Clients" fz={13} className={classes.table}>
                <Table.Thead>
                  <Table.Tr>
                    {mayWrite ? <Table.Th w={36}><Checkbox size="xs" aria-label="Choose all" checked={ids.length === rows.length} indeterminate={ids.length > 0 && ids.length < rows.length} onChange={(event) => setPicked(event.currentTarget.checked ? new Set(rows.map((row) => row.id)) : new Set())} /></Table.Th> : null}
                    <Table.Th>Client</Table.Th><Table.Th>Key</Table.Th><Table.Th>Provider · model</Table.Th><Table.Th w={220}>Limits</Table.Th><Table.Th ta="right">Requests today</Table.Th><Table.Th ta="right">Cost today</Table.Th><Table.Th>Last seen</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {rows.map((row) => (
                    <Row key={row.id} row={row} live={figures.get(row.id)} picked={picked.has(row.id)} onPick={mayWrite ? (on) => setPicked((old) => { const next = new Set(old); if (on) next.add(row.id); else next.delete(row.id); return next; }) : undefined} />
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          </Paper>
        ) : null}
        {list.hasNextPage ? <Button variant="default" mx="auto" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>Show more clients</Button> : null}
      </Stack>
      <TagDialog
        action={tagging}
        ids={ids}
        onClose={() => setTagging(null)}
        onTag={(wantedTag) => {
          if (tagging) bulk.mutate({ ids, action: tagging, tag: wantedTag });
          setTagging(null);
        }}
      />
      {mayWrite ? <CreateClient opened={creating} onClose={() => setCreating(false)} /> : null}
    </>
  );
}

function Row({ row, live, picked, onPick }: { row: ClientRow; live?: { requests_today: number; cost_today_micro_usd: number; seen_at: number }; picked: boolean; onPick?: (on: boolean) => void }) {
  const expired = row.expires_at !== null && row.expires_at < Date.now();
  const seen = live?.seen_at ?? row.seen_at;
  const fullest = [...row.limits].filter((one) => one.limit > 0).sort((a, b) => b.used / b.limit - a.used / a.limit).slice(0, 2);
  return (
    <Table.Tr>
      {onPick ? <Table.Td><Checkbox size="xs" aria-label={`Choose ${row.name}`} checked={picked} onChange={(event) => onPick(event.currentTarget.checked)} /></Table.Td> : null}
      <Table.Td className={classes.name}>
        <Group gap={6}>
          <Anchor component={Link} to={`/clients/${encodeURIComponent(row.id)}`} fz="sm" fw={500}>{row.name}</Anchor>
          {row.active ? null : <Badge size="xs" variant="light" color="gray">off</Badge>}
          {expired ? <Badge size="xs" variant="light" color="red">expired</Badge> : null}
          {row.tags.map((tag) => <Badge key={tag} size="xs" variant="default">{tag}</Badge>)}
        </Group>
        <Text size="xs" c="dimmed" ff="monospace">{row.id}</Text>
      </Table.Td>
      <Table.Td ff="monospace" fz="xs" style={{ whiteSpace: "nowrap" }}>{row.hint ?? "–"}</Table.Td>
      <Table.Td className={classes.name}>{row.provider ?? "model registry"}{row.default_model ? <Text size="xs" c="dimmed">{row.default_model}</Text> : null}</Table.Td>
      <Table.Td>{fullest.length === 0 ? <Text size="xs" c="dimmed">none</Text> : <Stack gap={4}>{fullest.map((one) => <LimitBar key={`${one.scope}${one.name}${one.model ?? ""}`} standing={one} compact />)}</Stack>}</Table.Td>
      <Table.Td ta="right">{formatCompact(live?.requests_today ?? row.requests_today)}{row.errors_today > 0 ? <Text size="xs" c="red">{formatCompact(row.errors_today)} {row.errors_today === 1 ? "error" : "errors"}</Text> : null}</Table.Td>
      <Table.Td ta="right">{formatMoney(live?.cost_today_micro_usd ?? row.cost_today_micro_usd)}</Table.Td>
      <Table.Td>{seen === null ? "never" : formatAgo(seen)}</Table.Td>
    </Table.Tr>
  );
}
