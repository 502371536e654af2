import { Alert, Button, Group, Modal, Paper, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "../../api/client";
import type { Page, RawConfig, Revision } from "../../api/types";
import { confirm } from "../../components/confirm";
import { DiffView } from "../../components/diff/DiffView";
import { formatAgo, formatFullTime } from "../../components/format";
import { notifyDone } from "../../components/notify";
import { EmptyState, ErrorState, LoadingState, messageOf } from "../../components/states";

/** The revisions that were, each to be looked at and brought back. */
export function History({ current, onRestored }: { current: RawConfig; onRestored: () => void }) {
  const [shown, setShown] = useState<Revision | null>(null);
  const { data, error, refetch } = useQuery({ queryKey: ["config", "history"], queryFn: ({ signal }) => api.get<Page<Revision>>("/config/history", { limit: 100 }, signal) });
  if (error) return <ErrorState error={error} retry={() => void refetch()} />;
  if (!data) return <LoadingState />;
  if (data.items.length === 0) return <EmptyState title="No history yet">From the first change on, every revision is kept here.</EmptyState>;
  return (
    <>
      <Paper style={{ overflow: "hidden" }}>
        <Table.ScrollContainer minWidth={560} scrollAreaProps={{ tabIndex: 0 }}>
          <Table aria-label="Revisions" highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Revision</Table.Th>
                <Table.Th>When</Table.Th>
                <Table.Th>Who</Table.Th>
                <Table.Th>What</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.items.map((revision) => (
                <Table.Tr key={revision.revision}>
                  <Table.Td>{revision.revision}{revision.revision === current.revision ? " (in force)" : ""}</Table.Td>
                  <Table.Td title={formatFullTime(revision.at)}>{formatAgo(revision.at)}</Table.Td>
                  <Table.Td>{revision.caller}</Table.Td>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>{revision.summary}</Table.Td>
                  <Table.Td ta="right">
                    <Button size="compact-xs" variant="default" disabled={revision.revision === current.revision} onClick={() => setShown(revision)} aria-label={`Compare revision ${revision.revision}`}>
                      Compare
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Paper>
      <Modal opened={shown !== null} onClose={() => setShown(null)} size="xl" title={`Revision ${shown?.revision ?? ""}`} closeButtonProps={{ "aria-label": "Close" }}>
        {shown ? <Past revision={shown} current={current} onRestored={() => { setShown(null); onRestored(); }} /> : null}
      </Modal>
    </>
  );
}

function Past({ revision, current, onRestored }: { revision: Revision; current: RawConfig; onRestored: () => void }) {
  const queries = useQueryClient();
  const { data, error } = useQuery({ queryKey: ["config", "history", revision.revision], queryFn: ({ signal }) => api.get<{ yaml: string }>(`/config/history/${revision.revision}`, undefined, signal) });
  const restore = useMutation({
    mutationFn: () => api.post<{ revision: number }>(`/config/history/${revision.revision}/restore`, { revision: current.revision }),
    onSuccess: (made) => {
      notifyDone(`Restored as revision ${made.revision}`);
      void queries.invalidateQueries();
      onRestored();
    },
  });
  const ask = async () => {
    const yes = await confirm({
      title: `Bring back revision ${revision.revision}?`,
      body: "The configuration becomes what it was then, as a revision of its own. What is in force now stays in the history.",
      action: "Restore",
      danger: true,
    });
    if (yes) restore.mutate();
  };
  if (error) return <ErrorState error={error} />;
  if (!data) return <LoadingState />;
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        What restoring would change: from revision {current.revision}, which is in force, to this one of {formatFullTime(revision.at)}.
      </Text>
      <DiffView before={current.yaml} after={data.yaml} label={`From revision ${current.revision} to ${revision.revision}`} />
      {restore.error ? <Alert color="red" variant="light" role="alert">{messageOf(restore.error)}</Alert> : null}
      <Group justify="flex-end">
        <Button loading={restore.isPending} onClick={() => void ask()}>
          Restore this revision
        </Button>
      </Group>
    </Stack>
  );
}
