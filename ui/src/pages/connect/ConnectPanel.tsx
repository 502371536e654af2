import { Autocomplete, Button, Code, Group, Paper, PasswordInput, Select, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, segment } from "../../api/client";
import { useMay } from "../../api/session";
import type { Settings, TestResult } from "../../api/types";
import { ClientSelect } from "../../components/ClientSelect";
import { CopyButton } from "../../components/CopyButton";
import { ErrorState } from "../../components/states";
import { TestResultPanel } from "../../components/TestResultPanel";
import classes from "../clients/clients.module.css";
import { useModels } from "../playground/useModels";
import { ADDRESSES, SNIPPETS, type Snippet } from "./snippets";

interface Props {
  client: string | null;
  /** Absent where the client is given by the page. */
  onClient?: (id: string | null) => void;
}

const GROUPS = [...new Set(SNIPPETS.map((one) => one.group))];

/** What to paste where, for one client; and a real call to see that it works. */
export function ConnectPanel({ client, onClient }: Props) {
  const [tool, setTool] = useState("curl");
  const [model, setModel] = useState("");
  const [key, setKey] = useState("");
  // Where the gateway does not say how it is reached from outside, its page's own address stands in.
  const settings = useQuery({
    queryKey: ["settings"],
    queryFn: ({ signal }) => api.get<Settings>("/settings", undefined, signal),
  });
  const models = useModels(client ?? "", client !== null);
  const snippet = SNIPPETS.find((one) => one.id === tool) ?? SNIPPETS[0];
  const chosen = model.trim() || models[0] || "MODEL";
  const base = (settings.data?.public_url || location.origin).replace(/\/$/, "");
  return (
    <Stack>
      <Paper p="md">
        <div className={classes.grid}>
          <Select
            label="Tool"
            data={GROUPS.map((group) => ({
              group,
              items: SNIPPETS.filter((one) => one.group === group).map((one) => ({ value: one.id, label: one.title })),
            }))}
            value={tool}
            searchable
            allowDeselect={false}
            onChange={(value) => setTool(value ?? "curl")}
          />
          {onClient ? <ClientSelect label="Client" value={client} onChange={onClient} placeholder="Any" /> : null}
          <Autocomplete label="Model" placeholder={chosen} data={models} limit={50} value={model} onChange={setModel} />
          <PasswordInput
            label="Key"
            description="Stays in this page"
            placeholder="$SLUICE_KEY"
            autoComplete="off"
            value={key}
            onChange={(event) => setKey(event.currentTarget.value)}
          />
        </div>
      </Paper>
      {snippet ? <Paste snippet={snippet} text={snippet.text({ base, key: key || "$SLUICE_KEY", model: chosen })} /> : null}
      <Test client={client} model={model.trim()} />
      <Addresses base={base} />
    </Stack>
  );
}

function Paste({ snippet, text }: { snippet: Snippet; text: string }) {
  return (
    <Paper p="md">
      <Group justify="space-between" mb="xs">
        <Text size="sm">
          For <b>{snippet.place}</b>
        </Text>
        <CopyButton value={text} label="Copy" text />
      </Group>
      <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }} aria-label="What to paste">
        {text}
      </Code>
    </Paper>
  );
}

function Test({ client, model }: { client: string | null; model: string }) {
  const mayCall = useMay("admin");
  const test = useMutation({
    mutationFn: () => api.post<TestResult>(`/clients/${segment(client ?? "")}/test`, model ? { model } : {}),
  });
  if (!mayCall) return null;
  return (
    <>
      <Group>
        <Button variant="default" disabled={client === null} loading={test.isPending} onClick={() => test.mutate()}>
          Test it
        </Button>
        <Text size="sm" c="dimmed">
          {client === null ? "Choose a client to make a real call on its behalf." : "Makes a real call as this client."}
        </Text>
      </Group>
      {test.error ? <ErrorState error={test.error} /> : null}
      {test.data ? <TestResultPanel result={test.data} /> : null}
    </>
  );
}

/** For tools that are not in the list: what to give as their base URL. */
function Addresses({ base }: { base: string }) {
  return (
    <Paper p="md">
      <Text size="sm" fw={600} component="h2" m={0} mb="xs">
        Base URLs
      </Text>
      <Table.ScrollContainer minWidth={420} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table aria-label="Base URLs" fz={13}>
          <Table.Tbody>
            {ADDRESSES.map(({ speaks, path, key }) => (
              <Table.Tr key={speaks}>
                <Table.Th w="30%" fw={500}>
                  {speaks}
                </Table.Th>
                <Table.Td>
                  <Group gap={4} wrap="nowrap">
                    <Code>{base + path}</Code>
                    <CopyButton value={base + path} label={`Copy the address for ${speaks}`} />
                  </Group>
                </Table.Td>
                <Table.Td c="dimmed">key in {key}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}
