import { Alert, Badge, Button, Group, Paper, Stack, Table, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, segment } from "../../api/client";
import type { ProviderModel } from "../../api/types";
import { formatAgo, formatCount } from "../../components/format";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";

interface Models {
  items: ProviderModel[];
  fetched_at: number | null;
  error?: string;
}

/** What the client may ask for: the list that its provider gives, and a question about any name. */
export function ClientModels({ id }: { id: string }) {
  const queries = useQueryClient();
  const path = `/clients/${segment(id)}/models`;
  const [name, setName] = useState("");
  const [filter, setFilter] = useState("");
  const { data, error, refetch } = useQuery({ queryKey: ["clients", id, "models"], queryFn: ({ signal }) => api.get<Models>(path, undefined, signal) });
  const fetchNow = useMutation({ mutationFn: () => api.get<Models>(path, { fetch: true }), onSuccess: (models) => queries.setQueryData(["clients", id, "models"], models) });
  const ask = useMutation({ mutationFn: () => api.get<{ allowed: boolean; target?: string; reason: string }>(`${path}/check`, { name }) });
  const shown = (data?.items ?? []).filter((model) => model.id.toLowerCase().includes(filter.trim().toLowerCase()));
  return (
    <Stack>
      <Paper p="md">
        <form onSubmit={(event) => { event.preventDefault(); ask.mutate(); }}>
          <Group align="flex-end" gap="sm">
            <TextInput label="Would this model be allowed?" placeholder="gpt-5-mini" required w={{ base: "100%", xs: 300 }} value={name} onChange={(event) => setName(event.currentTarget.value)} />
            <Button type="submit" variant="default" loading={ask.isPending}>Ask</Button>
          </Group>
        </form>
        {ask.error ? <ErrorState error={ask.error} /> : null}
        {ask.data ? (
          <Alert mt="sm" p="sm" variant="light" color={ask.data.allowed ? "teal" : "red"} role="status">
            <Text size="sm">
              {ask.data.allowed ? `Yes${ask.data.target ? `, it goes to ${ask.data.target}` : ""}.` : "No."} {ask.data.reason}
            </Text>
          </Alert>
        ) : null}
      </Paper>
      <Group justify="space-between">
        <TextInput aria-label="Find a model" placeholder="Find a model" value={filter} onChange={(event) => setFilter(event.currentTarget.value)} />
        <Group gap="xs">
          {data?.fetched_at ? <Text size="xs" c="dimmed">asked {formatAgo(data.fetched_at)}</Text> : null}
          <Button size="xs" variant="default" loading={fetchNow.isPending} onClick={() => fetchNow.mutate()}>Ask the provider now</Button>
        </Group>
      </Group>
      {error ? <ErrorState error={error} retry={() => void refetch()} /> : null}
      {fetchNow.error ? <ErrorState error={fetchNow.error} /> : null}
      {data?.error ? <Alert color="orange" variant="light">{data.error}</Alert> : null}
      {!data && !error ? <LoadingState /> : null}
      {data && shown.length === 0 ? <EmptyState title={filter ? "No model has that name" : "No models are known yet"}>Ask the provider for its list.</EmptyState> : null}
      {shown.length > 0 ? (
        <Paper style={{ overflow: "hidden" }}>
          <Table aria-label="Models">
            <Table.Tbody>
              {shown.slice(0, 300).map((model) => (
                <Table.Tr key={model.id}>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>{model.id}{model.display_name ? <Text size="xs" c="dimmed">{model.display_name}</Text> : null}</Table.Td>
                  <Table.Td ta="right">{model.context_window ? <Badge size="sm" variant="default">{formatCount(model.context_window)} tokens</Badge> : null}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      ) : null}
    </Stack>
  );
}
