import { Autocomplete, Button, Group, Paper, Stack, Table, Text } from "@mantine/core";
import { useMutation, type UseMutationResult } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "../../api/client";
import type { ProviderModel, ProviderWrite, TestResult } from "../../api/types";
import { formError } from "../../components/fieldErrors";
import { ErrorState } from "../../components/states";
import { TestResultPanel } from "../../components/TestResultPanel";

export interface Check {
  model: string;
  setModel: (model: string) => void;
  test: UseMutationResult<TestResult, Error, void>;
  models: UseMutationResult<{ items: ProviderModel[] }, Error, void>;
  /** What was refused before a call was made. */
  error: unknown;
}

/** Real calls with what the form says at the moment, stored or not. A key that is not typed is the stored one's. */
export function useProviderCheck(id: string | undefined, draft: ProviderWrite): Check {
  const [model, setModel] = useState("");
  const test = useMutation({ mutationFn: () => api.post<TestResult>("/providers/test", { id, draft, model: model.trim() || undefined }) });
  const models = useMutation({ mutationFn: () => api.post<{ items: ProviderModel[] }>("/providers/models", { id, draft }) });
  return { model, setModel, test, models, error: test.error ?? models.error };
}

/** The buttons of the check and what came of it. `fields` are those that show a message of their own. */
export function ProviderCheck({ check, fields }: { check: Check; fields: readonly string[] }) {
  const { test, models } = check;
  const names = [...new Set(models.data?.items.map((one) => one.id) ?? [])];
  return (
    <Paper p="md">
      <Stack>
        <Group gap="xs" align="flex-end">
          <Autocomplete label="Model for the test" placeholder="one that it lists" data={names} limit={100} spellCheck={false} w={{ base: "100%", xs: 260 }} value={check.model} onChange={check.setModel} />
          <Button variant="default" loading={test.isPending} onClick={() => { models.reset(); test.mutate(); }}>Test</Button>
          <Button variant="default" loading={models.isPending} onClick={() => { test.reset(); models.mutate(); }}>List models</Button>
        </Group>
        {test.data ? <TestResultPanel result={test.data} /> : null}
        {formError(check.error, fields) ? <ErrorState error={check.error} /> : null}
        {models.data ? <ModelList items={models.data.items} onPick={check.setModel} /> : null}
      </Stack>
    </Paper>
  );
}

function ModelList({ items, onPick }: { items: ProviderModel[]; onPick: (id: string) => void }) {
  return (
    <div>
      <Text size="sm" fw={600} mb="xs">{items.length === 0 ? "It lists no models." : `${items.length} ${items.length === 1 ? "model" : "models"}`}</Text>
      {items.length > 0 ? (
        <Table.ScrollContainer minWidth={320} mah={320} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
          <Table aria-label="Models of the provider" verticalSpacing={3} fz={13}>
            <Table.Tbody>
              {items.slice(0, 500).map((model) => (
                <Table.Tr key={model.id}>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>{model.id}</Table.Td>
                  <Table.Td>{model.owned_by ?? ""}</Table.Td>
                  <Table.Td ta="right"><Button size="compact-xs" variant="subtle" aria-label={`Test with ${model.id}`} onClick={() => onPick(model.id)}>Test with this</Button></Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      ) : null}
    </div>
  );
}
