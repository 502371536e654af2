import { Badge, Button, Group, Modal, NumberInput, Paper, SimpleGrid, Stack, Table, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "../../api/client";
import type { LimitStanding, RequestRow, Totals } from "../../api/types";
import { formatClock, formatCompact, formatCount, formatMoney, formatMs } from "../../components/format";
import { LimitBar } from "../../components/LimitBar";
import { NewKey } from "../../components/NewKey";
import { PageHeader } from "../../components/PageHeader";
import { ErrorState, LoadingState } from "../../components/states";
import { StatTile, StatTiles } from "../../components/StatTile";
import { StatusBadge } from "../../components/StatusBadge";

interface Me {
  client: { id: string; name: string; hint: string };
  limits: LimitStanding[];
  allowed_models: string[];
  requests: RequestRow[];
  usage_today: Totals;
  usage_month: Totals;
}

/** What a key holder may see: what is left, what was used, and a way to a new key. */
export default function MyKeyPage() {
  const [rotating, { open, close }] = useDisclosure(false);
  const { data, error, refetch } = useQuery({ queryKey: ["me"], queryFn: ({ signal }) => api.get<Me>("/me", undefined, signal), refetchInterval: 5000 });
  if (error && !data) return <ErrorState error={error} retry={() => void refetch()} />;
  if (!data) return <LoadingState />;
  return (
    <>
      <PageHeader title={data.client.name} description={`Key ${data.client.hint}`} actions={<Button size="xs" variant="default" onClick={open}>Rotate this key</Button>} />
      <Stack>
        <StatTiles>
          <StatTile label="Requests today" value={formatCount(data.usage_today.requests)} note={`${formatCompact(data.usage_month.requests)} this month`} />
          <StatTile label="Tokens today" value={formatCompact(data.usage_today.input_tokens + data.usage_today.output_tokens)} note={`${formatCompact(data.usage_month.input_tokens + data.usage_month.output_tokens)} this month`} />
          <StatTile label="Cost today" value={formatMoney(data.usage_today.cost_micro_usd)} note={`${formatMoney(data.usage_month.cost_micro_usd)} this month`} />
        </StatTiles>
        <Paper p="md">
          <Title order={2} size="h3" mb="sm">Limits</Title>
          {data.limits.length === 0 ? <Text size="sm" c="dimmed">There is none.</Text> : <SimpleGrid cols={{ base: 1, sm: 2 }}>{data.limits.map((one) => <LimitBar key={`${one.scope}${one.name}${one.model ?? ""}`} standing={one} />)}</SimpleGrid>}
        </Paper>
        <Paper p="md">
          <Title order={2} size="h3" mb="sm">Models</Title>
          <Group gap="xs">{data.allowed_models.length === 0 ? <Text size="sm">All that the gateway has.</Text> : data.allowed_models.map((model) => <Badge key={model} variant="default">{model}</Badge>)}</Group>
        </Paper>
        <Paper style={{ overflow: "hidden" }}>
          <Title order={2} size="h3" p="md" pb="xs">Latest requests</Title>
          {data.requests.length === 0 ? <Text size="sm" c="dimmed" p="md" pt={0}>None yet.</Text> : (
            <Table.ScrollContainer minWidth={520} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
              <Table aria-label="Latest requests" fz={13}>
                <Table.Thead><Table.Tr><Table.Th>Time</Table.Th><Table.Th>Status</Table.Th><Table.Th>Model</Table.Th><Table.Th ta="right">Tokens</Table.Th><Table.Th ta="right">Took</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>
                  {data.requests.map((row) => (
                    <Table.Tr key={row.id}>
                      <Table.Td>{formatClock(row.started_at)}</Table.Td><Table.Td><StatusBadge status={row.status} ended={row.ended} error={row.error} /></Table.Td><Table.Td style={{ overflowWrap: "anywhere" }}>{row.model ?? row.model_asked ?? "–"}</Table.Td>
                      <Table.Td ta="right">{formatCount(row.input_tokens)} in, {formatCount(row.output_tokens)} out</Table.Td><Table.Td ta="right">{formatMs(row.duration_ms)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )}
        </Paper>
      </Stack>
      <Modal opened={rotating} onClose={close} title="Rotate this key" closeButtonProps={{ "aria-label": "Close" }}>{rotating ? <Rotate onDone={close} /> : null}</Modal>
    </>
  );
}

function Rotate({ onDone }: { onDone: () => void }) {
  const [hours, setHours] = useState<number | string>(24);
  const rotate = useMutation({ mutationFn: () => api.post<{ key: string; hint: string }>("/me/rotate", { grace_seconds: Math.round(Number(hours || 0) * 3600) }) });
  if (rotate.data) return <Stack><NewKey value={rotate.data.key} /><Group justify="flex-end"><Button onClick={onDone}>Done</Button></Group></Stack>;
  return (
    <form onSubmit={(event) => { event.preventDefault(); rotate.mutate(); }}>
      <Stack>
        <NumberInput label="The old key works on for" suffix=" hours" min={0} max={720} value={hours} onChange={setHours} description="Zero ends it at once" />
        {rotate.error ? <ErrorState error={rotate.error} /> : null}
        <Group justify="flex-end"><Button type="submit" loading={rotate.isPending}>Rotate</Button></Group>
      </Stack>
    </form>
  );
}
