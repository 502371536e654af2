import { Drawer, Group, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { api, segment } from "../../api/client";
import type { RequestDetail } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { ErrorState, LoadingState } from "../../components/states";
import { StatusBadge } from "../../components/StatusBadge";
import { Actions } from "./Actions";
import { Facts } from "./Facts";
import { HeadersTab, PayloadTab } from "./PayloadTab";
import { Timeline } from "./Timeline";

/** One request with everything that is known of it. */
export function RequestDrawer({ id, onClose }: { id: string | null; onClose: () => void }) {
  return (
    <Drawer opened={id !== null} onClose={onClose} position="right" size="xl" title="Request" closeButtonProps={{ "aria-label": "Close" }}>
      {id ? <Detail id={id} /> : null}
    </Drawer>
  );
}

function Detail({ id }: { id: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["requests", "one", id],
    queryFn: ({ signal }) => api.get<RequestDetail>(`/requests/${segment(id)}`, undefined, signal),
    staleTime: 60_000,
  });
  if (error) return <ErrorState error={error} retry={() => void refetch()} />;
  if (!data) return <LoadingState />;
  return (
    <>
      <Group gap="xs" mb="xs" wrap="nowrap">
        <StatusBadge status={data.status} ended={data.ended} />
        <Text size="sm" ff="monospace" truncate>
          {data.method} {data.path}
        </Text>
      </Group>
      <Group gap={4} mb="sm" wrap="nowrap">
        <Text size="xs" c="dimmed" ff="monospace" style={{ overflowWrap: "anywhere" }}>
          {data.id}
        </Text>
        <CopyButton value={data.id} label="Copy the id" />
      </Group>
      <Actions request={data} />
      <Tabs defaultValue="facts" keepMounted={false} mt="md">
        <Tabs.List>
          <Tabs.Tab value="facts">Overview</Tabs.Tab>
          <Tabs.Tab value="client">Sent by client</Tabs.Tab>
          <Tabs.Tab value="upstream">Sent upstream</Tabs.Tab>
          <Tabs.Tab value="response">Returned</Tabs.Tab>
          <Tabs.Tab value="timeline">Timeline</Tabs.Tab>
          <Tabs.Tab value="headers">Headers</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="facts" pt="md"><Facts request={data} /></Tabs.Panel>
        <Tabs.Panel value="client" pt="md"><PayloadTab request={data} part="client_request" /></Tabs.Panel>
        <Tabs.Panel value="upstream" pt="md"><PayloadTab request={data} part="upstream_request" /></Tabs.Panel>
        <Tabs.Panel value="response" pt="md"><PayloadTab request={data} part="response" /></Tabs.Panel>
        <Tabs.Panel value="timeline" pt="md"><Timeline request={data} /></Tabs.Panel>
        <Tabs.Panel value="headers" pt="md"><HeadersTab request={data} /></Tabs.Panel>
      </Tabs>
    </>
  );
}
