import { Badge, Button, Center, Group, Paper, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "react-router";

import { api } from "../../api/client";
import type { AuditEntry, Page } from "../../api/types";
import { MemberChanges } from "../../components/diff/MemberChanges";
import { formatAgo, formatFullTime } from "../../components/format";
import { PageHeader } from "../../components/PageHeader";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import classes from "./audit.module.css";

const COLORS: Record<string, string> = { create: "teal", update: "blue", delete: "red", put: "blue", patch: "blue", post: "teal" };

/** Who changed what, and how it was before. */
export default function AuditPage() {
  const [search, setSearch] = useSearchParams();
  const key = search.get("key") ?? "";
  const caller = search.get("caller") ?? "";
  const set = (name: string, value: string) =>
    setSearch((old) => {
      const next = new URLSearchParams(old);
      if (value) next.set(name, value);
      else next.delete(name);
      return next;
    });
  const log = useInfiniteQuery({
    queryKey: ["audit", key, caller],
    queryFn: ({ pageParam, signal }) => api.get<Page<AuditEntry>>("/audit", { key, caller, before: pageParam, limit: 50 }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });
  const entries = log.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <PageHeader title="Audit" description="Every change of the configuration and every look at a secret, newest first." actions={<ShowAsApiCall method="GET" path={`/audit?${new URLSearchParams({ key, caller }).toString()}`} />} />
      <Stack>
        <Group gap="sm" align="flex-end" role="search" aria-label="Filter the audit log">
          <Committed label="What" placeholder="routes/chat, consumers/…" value={key} onCommit={(value) => set("key", value)} />
          <Committed label="Who" placeholder="Name of a member or token" value={caller} onCommit={(value) => set("caller", value)} />
          {key || caller ? (
            <Button variant="subtle" size="xs" onClick={() => setSearch((old) => { const next = new URLSearchParams(old); next.delete("key"); next.delete("caller"); return next; })}>
              Clear filters
            </Button>
          ) : null}
        </Group>
        {log.error ? <ErrorState error={log.error} retry={() => void log.refetch()} /> : null}
        {log.isPending ? <LoadingState /> : null}
        {log.data && entries.length === 0 ? (
          <EmptyState title={key || caller ? "No change passes these filters" : "Nothing was changed yet"}>Changes by the dashboard, the Admin API, tokens and files are all written down here.</EmptyState>
        ) : null}
        {entries.length > 0 ? (
          <Paper>
            <ul className={classes.list}>
              {entries.map((entry) => (
                <Entry key={entry.id} entry={entry} />
              ))}
            </ul>
          </Paper>
        ) : null}
        {log.hasNextPage ? (
          <Center>
            <Button variant="default" loading={log.isFetchingNextPage} onClick={() => void log.fetchNextPage()}>
              Load older changes
            </Button>
          </Center>
        ) : null}
      </Stack>
    </>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const [open, setOpen] = useState(false);
  return (
    <li className={classes.entry}>
      <UnstyledButton className={classes.head} aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? <IconChevronDown size={16} aria-hidden /> : <IconChevronRight size={16} aria-hidden />}
        <Badge size="sm" variant="light" color={COLORS[entry.action.toLowerCase()] ?? "gray"}>
          {entry.action}
        </Badge>
        <Text size="sm" ff="monospace" className={classes.key}>
          {entry.key}
        </Text>
        <Text size="sm" c="dimmed" className={classes.who}>
          {entry.caller}
          {entry.peer ? ` · ${entry.peer}` : ""}
        </Text>
        <Text size="xs" c="dimmed" title={formatFullTime(entry.at)} className={classes.when}>
          {formatAgo(entry.at)}
        </Text>
      </UnstyledButton>
      {open ? (
        <div className={classes.body}>
          <Text size="xs" c="dimmed" mb="xs">
            {formatFullTime(entry.at)}
            {entry.revision === null ? "" : ` · revision ${entry.revision}`}
          </Text>
          <MemberChanges changes={entry.changes} />
        </div>
      ) : null}
    </li>
  );
}

function Committed({ label, placeholder, value, onCommit }: { label: string; placeholder: string; value: string; onCommit: (value: string) => void }) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  if (seen !== value) {
    setSeen(value);
    setText(value);
  }
  return (
    <TextInput
      size="xs"
      w={{ base: "100%", xs: 240 }}
      label={label}
      placeholder={placeholder}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={() => text !== value && onCommit(text.trim())}
      onKeyDown={(event) => event.key === "Enter" && onCommit(text.trim())}
    />
  );
}
