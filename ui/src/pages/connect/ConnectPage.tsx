import { Autocomplete, Button, Code, Group, Paper, PasswordInput, Select, Stack, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, segment } from "../../api/client";
import { useMay } from "../../api/session";
import type { Settings, TestResult } from "../../api/types";
import { ClientSelect } from "../../components/ClientSelect";
import { CopyButton } from "../../components/CopyButton";
import { PageHeader } from "../../components/PageHeader";
import { ErrorState } from "../../components/states";
import { TestResultPanel } from "../../components/TestResultPanel";
import classes from "../clients/clients.module.css";
import { useModels } from "../playground/useModels";
import { SNIPPETS } from "./snippets";

/** From a client's key to a tool that works: what to paste where, and a real call to see that it does. */
export default function ConnectPage() {
  const mayCall = useMay("admin");
  const [client, setClient] = useState<string | null>(null);
  const [tool, setTool] = useState("curl");
  const [model, setModel] = useState("");
  const [key, setKey] = useState("");
  const { data } = useQuery({ queryKey: ["settings"], queryFn: ({ signal }) => api.get<Settings>("/settings", undefined, signal) });
  const models = useModels(client ?? "", client !== null);
  const snippet = SNIPPETS.find((one) => one.id === tool) ?? SNIPPETS[0];
  const chosen = model.trim() || models[0] || "MODEL";
  const text = snippet?.text({ base: (data?.public_url || location.origin).replace(/\/$/, ""), key: key || "$SLUICE_KEY", model: chosen }) ?? "";
  const test = useMutation({ mutationFn: () => api.post<TestResult>(`/clients/${segment(client ?? "")}/test`, model.trim() ? { model: model.trim() } : {}) });
  return (
    <>
      <PageHeader title="Connect" description="What to paste where, so that a tool or a program calls through this gateway." />
      <Stack>
        <Paper p="md">
          <div className={classes.grid}>
            <Select label="Tool" data={SNIPPETS.map((one) => ({ value: one.id, label: one.title }))} value={tool} allowDeselect={false} onChange={(value) => setTool(value ?? "curl")} />
            <ClientSelect label="Client" value={client} onChange={setClient} placeholder="Any" />
            <Autocomplete label="Model" placeholder={chosen} data={models} limit={50} value={model} onChange={setModel} />
            <PasswordInput label="Key" description="Stays in this page" placeholder="$SLUICE_KEY" autoComplete="off" value={key} onChange={(event) => setKey(event.currentTarget.value)} />
          </div>
        </Paper>
        <Paper p="md">
          <Group justify="space-between" mb="xs">
            <Text size="sm">
              For <b>{snippet?.place}</b>
            </Text>
            <CopyButton value={text} label="Copy" text />
          </Group>
          <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }} aria-label="What to paste">
            {text}
          </Code>
        </Paper>
        {mayCall ? (
          <Group>
            <Button variant="default" disabled={client === null} loading={test.isPending} onClick={() => test.mutate()}>
              Test it
            </Button>
            <Text size="sm" c="dimmed">
              {client === null ? "Choose a client to make a real call on its behalf." : "Makes a real call as this client."}
            </Text>
          </Group>
        ) : null}
        {test.error ? <ErrorState error={test.error} /> : null}
        {test.data ? <TestResultPanel result={test.data} /> : null}
      </Stack>
    </>
  );
}
