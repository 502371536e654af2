import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "../../api/client";
import type { RawConfig } from "../../api/types";
import { PageHeader } from "../../components/PageHeader";
import { ErrorState, LoadingState } from "../../components/states";
import { Draft } from "./Draft";
import { History } from "./History";

/** The whole configuration as one YAML document: edit, compare, check, apply, go back. */
export default function ConfigurationPage() {
  const [tab, setTab] = useState<string | null>("editor");
  const { data, error, refetch } = useQuery({ queryKey: ["config"], queryFn: ({ signal }) => api.get<RawConfig>("/config", undefined, signal) });
  return (
    <>
      <PageHeader title="Raw configuration" description="Everything that is configured, in one document. Nothing changes until you apply it, and every revision can be brought back." />
      {error && !data ? <ErrorState error={error} retry={() => void refetch()} /> : null}
      {!data && !error ? <LoadingState rows={12} /> : null}
      {data ? (
        <Tabs value={tab} onChange={setTab}>
          <Tabs.List mb="md">
            <Tabs.Tab value="editor">Editor</Tabs.Tab>
            <Tabs.Tab value="history">History</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="editor">
            <Draft stored={data} />
          </Tabs.Panel>
          <Tabs.Panel value="history">{tab === "history" ? <History current={data} onRestored={() => setTab("editor")} /> : null}</Tabs.Panel>
        </Tabs>
      ) : null}
    </>
  );
}
