import { Badge, Button, Center, Paper, Text, UnstyledButton } from "@mantine/core";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "../../api/client";
import type { AuditEntry, Page } from "../../api/types";
import { MemberChanges } from "../../components/diff/MemberChanges";
import { formatAgo, formatFullTime } from "../../components/format";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import classes from "./audit.module.css";

const COLORS: Record<string, string> = { create: "teal", update: "blue", delete: "red", put: "blue", patch: "blue", post: "teal" };

/** Changes of what the filters name, newest first. */
export function AuditList({ filterKey: key, caller }: { filterKey: string; caller: string }) {
  const log = useInfiniteQuery({
    queryKey: ["audit", key, caller],
    queryFn: ({ pageParam, signal }) => api.get<Page<AuditEntry>>("/audit", { key, caller, before: pageParam, limit: 50 }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });
  const entries = log.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
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
