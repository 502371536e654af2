import { Button, Code, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";

import { api, segment } from "../../api/client";
import type { Client, Settings, TestResult } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { NewKey } from "../../components/NewKey";
import { ErrorState } from "../../components/states";
import { TestResultPanel } from "../../components/TestResultPanel";
import { SNIPPETS } from "../connect/snippets";

/** The key, the call to paste, and the same call made from here. */
export function FirstCall({ client, apiKey, onWorks }: { client: Client; apiKey: string; onWorks: () => void }) {
  const { data } = useQuery({ queryKey: ["settings"], queryFn: ({ signal }) => api.get<Settings>("/settings", undefined, signal) });
  const test = useMutation({
    mutationFn: () => api.post<TestResult>(`/clients/${segment(client.id)}/test`, {}),
    onSuccess: (result) => {
      if (result.ok) onWorks();
    },
  });
  const base = (data?.public_url || location.origin).replace(/\/$/, "");
  const text = SNIPPETS[0]?.text({ base, key: apiKey, model: client.default_model ?? "MODEL" }) ?? "";
  return (
    <Stack>
      <NewKey value={apiKey} />
      <Group justify="space-between">
        <Text size="sm">Paste this into a shell, or make the same call from here:</Text>
        <CopyButton value={text} label="Copy" text />
      </Group>
      <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
        {text}
      </Code>
      <Group>
        <Button loading={test.isPending} onClick={() => test.mutate()}>
          Make the call
        </Button>
      </Group>
      {test.data ? <TestResultPanel result={test.data} /> : null}
      {test.error ? <ErrorState error={test.error} /> : null}
    </Stack>
  );
}
