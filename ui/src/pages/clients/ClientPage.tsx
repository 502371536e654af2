import { Anchor, Badge, Button, Group, Tabs } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";

import { api, segment } from "../../api/client";
import { useMay } from "../../api/session";
import type { Client, TestResult } from "../../api/types";
import { confirm } from "../../components/confirm";
import { formatAgo } from "../../components/format";
import { notifyDone, notifyFailed } from "../../components/notify";
import { PageHeader } from "../../components/PageHeader";
import { ErrorState, LoadingState } from "../../components/states";
import { TestResultPanel } from "../../components/TestResultPanel";
import { ClientActivity } from "./ClientActivity";
import { ClientKeys } from "./ClientKeys";
import { ClientLimitsTab } from "./ClientLimitsTab";
import { ClientModels } from "./ClientModels";
import { ClientSettings } from "./ClientSettings";

/** One client: its settings, keys, models, limits and what it did. */
export function ClientPage() {
  const { id = "" } = useParams();
  const go = useNavigate();
  const queries = useQueryClient();
  const mayWrite = useMay("admin");
  const [search, setSearch] = useSearchParams();
  const path = `/clients/${segment(id)}`;
  const { data, error, refetch } = useQuery({ queryKey: ["clients", id], queryFn: ({ signal }) => api.get<Client>(path, undefined, signal) });
  const test = useMutation({ mutationFn: () => api.post<TestResult>(`${path}/test`, {}) });
  const remove = useMutation({
    mutationFn: () => api.delete(path, { version: data?.version }),
    onSuccess: () => {
      notifyDone("Deleted");
      void queries.invalidateQueries({ queryKey: ["clients"] });
      void go("/clients");
    },
    onError: (failed) => notifyFailed(failed, "Not deleted"),
  });
  if (error && !data) return <ErrorState error={error} retry={() => void refetch()} />;
  if (!data) return <LoadingState rows={10} />;
  const ask = async () => {
    const yes = await confirm({ title: `Delete ${data.name}?`, body: "Its keys stop working with the next request. What it used stays in the books.", action: "Delete", danger: true, typed: data.id });
    if (yes) remove.mutate();
  };
  const tab = search.get("tab") ?? "settings";
  return (
    <>
      <PageHeader
        back={<Anchor component={Link} to="/clients" fz="sm">Clients</Anchor>}
        title={data.name}
        description={
          <Group gap="xs">
            <span>{data.id}</span>
            {data.active === false ? <Badge size="sm" variant="light" color="gray">off</Badge> : <Badge size="sm" variant="light" color="teal">active</Badge>}
            <span>{data.seen_at === null ? "never seen" : `last seen ${formatAgo(data.seen_at)}`}</span>
          </Group>
        }
        actions={
          mayWrite ? (
            <>
              <Button component={Link} to={`/playground?client=${encodeURIComponent(id)}`} size="xs" variant="default">Playground</Button>
              <Button size="xs" variant="default" loading={test.isPending} onClick={() => test.mutate()}>Test</Button>
              <Button size="xs" variant="default" c="red" onClick={() => void ask()}>Delete</Button>
            </>
          ) : null
        }
      />
      {test.data ? <div style={{ marginBottom: "1rem" }}><TestResultPanel result={test.data} /></div> : null}
      {test.error ? <ErrorState error={test.error} /> : null}
      <Tabs value={tab} onChange={(next) => setSearch((old) => { const params = new URLSearchParams(old); if (next && next !== "settings") params.set("tab", next); else params.delete("tab"); return params; })} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="settings">Settings</Tabs.Tab>
          <Tabs.Tab value="keys">Keys</Tabs.Tab>
          <Tabs.Tab value="models">Models</Tabs.Tab>
          <Tabs.Tab value="limits">Limits</Tabs.Tab>
          <Tabs.Tab value="activity">Usage and requests</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="settings"><ClientSettings key={data.id} client={data} readOnly={!mayWrite} /></Tabs.Panel>
        <Tabs.Panel value="keys"><ClientKeys client={data} readOnly={!mayWrite} /></Tabs.Panel>
        <Tabs.Panel value="models"><ClientModels id={id} /></Tabs.Panel>
        <Tabs.Panel value="limits"><ClientLimitsTab client={data} readOnly={!mayWrite} /></Tabs.Panel>
        <Tabs.Panel value="activity"><ClientActivity id={id} /></Tabs.Panel>
      </Tabs>
    </>
  );
}
