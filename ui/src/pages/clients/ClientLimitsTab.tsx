import { Badge, Button, Group, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";

import { api, segment } from "../../api/client";
import { useLive } from "../../api/live";
import type { Client, LimitStanding, Live } from "../../api/types";
import { confirm } from "../../components/confirm";
import { amount, LimitBar, limitTitle } from "../../components/LimitBar";
import { notifyDone, notifyFailed } from "../../components/notify";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";

/** How full each limit is, live, and where the ones in force come from. */
export function ClientLimitsTab({ client, readOnly }: { client: Client; readOnly: boolean }) {
  const queries = useQueryClient();
  const path = `/clients/${segment(client.id)}/limits`;
  const [live, setLive] = useState<LimitStanding[] | null>(null);
  const { data, error, refetch } = useQuery({ queryKey: ["limits", client.id], queryFn: ({ signal }) => api.get<{ items: LimitStanding[] }>(path, undefined, signal), refetchInterval: 10_000 });
  useLive([`limits:${client.id}`], useCallback((message: Live) => { if (message.type === "limits") setLive(message.items); }, []));
  const reset = useMutation({
    mutationFn: (own: LimitStanding) => api.post(`/limits/${own.scope}/${segment(own.subject)}/${segment(own.name)}/reset`),
    onSuccess: () => { notifyDone("Counter set to zero"); setLive(null); void queries.invalidateQueries({ queryKey: ["limits"] }); },
    onError: (failed) => notifyFailed(failed),
  });
  const ask = async (own: LimitStanding) => {
    const shared = own.scope === "group" ? " All members of the group share it." : "";
    if (await confirm({ title: `Reset ${limitTitle(own.name).toLowerCase()}?`, body: `The counter starts at zero. What was used stays in the books.${shared}`, action: "Reset" })) reset.mutate(own);
  };
  const effective = client.effective_limits ?? [];
  const items = live ?? data?.items ?? [];
  if (error && !data) return <ErrorState error={error} retry={() => void refetch()} />;
  if (!data) return <LoadingState />;
  if (items.length === 0 && effective.length === 0) return <EmptyState title="No limits">This client may call without end. Limits are under Settings.</EmptyState>;
  return (
    <Stack>
      <Paper p="md">
        <Stack>
          {items.map((standing) => (
            <Group key={`${standing.scope}-${standing.name}-${standing.model ?? ""}`} wrap="nowrap" gap="md" align="flex-start">
              <div style={{ flex: 1, minWidth: 0 }}><LimitBar standing={standing} /></div>
              <Badge size="sm" variant="default" mt={2}>{standing.scope}</Badge>
              {readOnly || !standing.reset_possible ? null : <Button size="compact-xs" variant="subtle" onClick={() => void ask(standing)} aria-label={`Reset ${limitTitle(standing.name)}`}>Reset</Button>}
            </Group>
          ))}
        </Stack>
      </Paper>
      {effective.length > 0 ? (
        <Paper p="md">
          <Title order={2} size="h3" mb="xs">In force</Title>
          <Table aria-label="Limits in force" w="auto">
            <Table.Tbody>
              {effective.map((limit) => (
                <Table.Tr key={limit.name}>
                  <Table.Td>{limitTitle(limit.name)}</Table.Td>
                  <Table.Td ta="right">{amount({ unit: limit.name.startsWith("budget") ? "micro_usd" : "tokens" }, limit.limit)}</Table.Td>
                  <Table.Td><Text size="xs" c="dimmed">from the {limit.from}</Text></Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      ) : null}
    </Stack>
  );
}
