import { Badge, Button, Paper, Table } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api, segment } from "../../api/client";
import type { Page, Role } from "../../api/types";
import { formatAgo } from "../../components/format";
import { notifyDone, notifyFailed } from "../../components/notify";
import { ErrorState, LoadingState } from "../../components/states";

interface Open {
  id: string;
  name: string;
  role: Role;
  created_at: number;
  seen_at: number;
  peer: string;
  agent: string | null;
  current: boolean;
}

export function Sessions() {
  const queries = useQueryClient();
  const { data, error, refetch } = useQuery({ queryKey: ["sessions"], queryFn: ({ signal }) => api.get<Page<Open>>("/sessions", undefined, signal) });
  const end = useMutation({
    mutationFn: (id: string) => api.delete(`/sessions/${segment(id)}`),
    onSuccess: () => { notifyDone("Session ended"); void queries.invalidateQueries({ queryKey: ["sessions"] }); },
    onError: (failed) => notifyFailed(failed),
  });
  if (error && !data) return <ErrorState error={error} retry={() => void refetch()} />;
  if (!data) return <LoadingState />;
  return (
    <Paper style={{ overflow: "hidden" }}>
      <Table.ScrollContainer minWidth={620} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table aria-label="Sessions">
          <Table.Thead><Table.Tr><Table.Th>Who</Table.Th><Table.Th>From</Table.Th><Table.Th>With</Table.Th><Table.Th>Since</Table.Th><Table.Th>Last seen</Table.Th><Table.Th /></Table.Tr></Table.Thead>
          <Table.Tbody>
            {data.items.map((one) => (
              <Table.Tr key={one.id}>
                <Table.Td style={{ overflowWrap: "anywhere" }}>{one.name}{one.current ? <Badge size="xs" ml={6} variant="light" color="teal">this one</Badge> : null}</Table.Td>
                <Table.Td>{one.peer}</Table.Td><Table.Td style={{ overflowWrap: "anywhere" }}>{one.agent ?? "–"}</Table.Td><Table.Td>{formatAgo(one.created_at)}</Table.Td><Table.Td>{formatAgo(one.seen_at)}</Table.Td>
                <Table.Td ta="right"><Button size="compact-xs" variant="subtle" color="red" disabled={one.current} aria-label={`End the session from ${one.peer}`} onClick={() => end.mutate(one.id)}>End</Button></Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}
