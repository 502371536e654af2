import { Group, Stack, Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "react-router";

import { api, segment } from "../../api/client";
import type { RequestDetail } from "../../api/types";
import { ClientSelect } from "../../components/ClientSelect";
import { PageHeader } from "../../components/PageHeader";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import { Chat } from "./Chat";
import { Embeddings } from "./Embeddings";
import { Standing } from "./Standing";
import { replayOf } from "./replay";

/** Calls through the real data path, as a client of one's choice: its limits, its models, its prompt, its bill. */
export default function PlaygroundPage() {
  const [search, setSearch] = useSearchParams();
  const replayId = search.get("replay");
  const replayed = useQuery({
    queryKey: ["requests", "one", replayId],
    queryFn: ({ signal }) => api.get<RequestDetail>(`/requests/${segment(replayId ?? "")}`, undefined, signal),
    enabled: replayId !== null,
  });
  const replay = replayed.data ? replayOf(replayed.data) : null;
  const client = search.get("client") ?? replay?.client ?? null;
  const set = (name: string, value: string | null) =>
    setSearch((old) => {
      const next = new URLSearchParams(old);
      if (value) next.set(name, value);
      else next.delete(name);
      return next;
    });
  const waiting = replayId !== null && replayed.isPending;
  return (
    <>
      <PageHeader title="Playground" description="Real calls through the gateway as the client that you choose: its limits, models and prompt apply, and it pays." />
      <Stack>
        <Group align="flex-end" gap="lg">
          <ClientSelect label="Call as" value={client} onChange={(id) => set("client", id)} placeholder="Choose a client" clearable={false} />
          {client ? <Standing client={client} /> : null}
        </Group>
        {replayed.error ? <ErrorState error={replayed.error} /> : null}
        {replayed.data && !replay ? <EmptyState title="This request cannot be replayed">Its body was not kept, was cut, or is no chat completion.</EmptyState> : null}
        {waiting ? <LoadingState rows={4} /> : null}
        {!client && !waiting ? <EmptyState title="Choose a client">The playground needs to know on whose behalf it calls.</EmptyState> : null}
        {client && !waiting ? (
          <Tabs value={search.get("tab") ?? "chat"} onChange={(value) => set("tab", value === "chat" ? null : value)}>
            <Tabs.List mb="md">
              <Tabs.Tab value="chat">Chat</Tabs.Tab>
              <Tabs.Tab value="embeddings">Embeddings</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="chat">
              <Chat key={`${client}-${replayId ?? ""}`} client={client} replay={replay} />
            </Tabs.Panel>
            <Tabs.Panel value="embeddings">
              <Embeddings key={client} client={client} />
            </Tabs.Panel>
          </Tabs>
        ) : null}
      </Stack>
    </>
  );
}
