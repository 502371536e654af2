import { Autocomplete, Button, Group, Paper, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, ApiFailure, segment } from "../../api/client";
import type { Client, ClientWrite, Page, Provider, ProviderModel } from "../../api/types";
import { fieldErrors, formError } from "../../components/fieldErrors";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { ErrorState } from "../../components/states";

/** Registers a model, unless one of that name is there. */
async function registered(model: string, provider: string): Promise<void> {
  try {
    await api.put(`/models/${segment(model)}`, { targets: [{ provider, model }] });
  } catch (error) {
    if (!(error instanceof ApiFailure && error.status === 409)) throw error;
  }
}

/** The first client, with the defaults of the configuration. */
export function FirstClient({ onDone }: { onDone: (client: Client, key: string) => void }) {
  const defaults = useQuery({ queryKey: ["clients", "defaults"], queryFn: ({ signal }) => api.get<ClientWrite>("/clients/defaults", undefined, signal) });
  const providers = useQuery({ queryKey: ["providers"], queryFn: ({ signal }) => api.get<Page<Provider>>("/providers", { limit: 500 }, signal) });
  const [name, setName] = useState("");
  const [model, setModel] = useState("");
  const [provider, setProvider] = useState<string | null>(null);
  const found = providers.data?.items ?? [];
  const chosen = provider ?? found[0]?.id ?? null;
  const models = useQuery({
    queryKey: ["providers", chosen, "models"],
    queryFn: ({ signal }) => api.get<{ items: ProviderModel[] }>(`/providers/${segment(chosen ?? "")}/models`, undefined, signal),
    enabled: chosen !== null,
    retry: false,
  });
  const names = [...new Set((models.data?.items ?? []).map((one) => one.id))];
  const body = { ...defaults.data, name, default_model: model.trim() || null };
  const create = useMutation({
    mutationFn: async () => {
      // A name for the model, so that the registry finds the provider for it.
      if (chosen && model.trim()) await registered(model.trim(), chosen);
      return api.post<{ client: Client; key: { key: string } }>("/clients", body);
    },
    onSuccess: ({ client, key }) => onDone(client, key.key),
  });
  const errors = fieldErrors(create.error);
  return (
    <Paper p="md">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <Stack maw={420}>
          <Text size="sm" c="dimmed">
            An application, or a person. It gets a key and the limits of the defaults.
          </Text>
          <TextInput label="Name of the client" required value={name} error={errors.name} onChange={(event) => setName(event.currentTarget.value)} />
          {found.length > 0 ? <Select label="Provider" data={found.map((one) => one.id)} value={chosen} allowDeselect={false} onChange={setProvider} /> : null}
          <Autocomplete label="Model" required description="As the provider names it" placeholder={names[0] ?? "gpt-5-mini"} data={names} limit={100} value={model} error={errors.default_model} onChange={setModel} />
          {formError(create.error, ["name", "default_model"]) ? <ErrorState error={create.error} /> : null}
          <Group justify="space-between">
            <ShowAsApiCall method="POST" path="/clients" body={body} />
            <Button type="submit" loading={create.isPending}>
              Create client
            </Button>
          </Group>
        </Stack>
      </form>
    </Paper>
  );
}
