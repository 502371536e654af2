import { Autocomplete, Button, Fieldset, Group, TagsInput, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";

import { api, segment } from "../../api/client";
import type { ClientProvider, Page, ProviderModel } from "../../api/types";
import { PairsInput } from "../../components/PairsInput";
import { messageOf } from "../../components/states";
import classes from "./clients.module.css";
import type { FieldsProps } from "./ClientFields";

/** Which models the client may ask for. Names come from the registry, or from the provider when it is asked. */
export function ModelFields({ draft, onChange, errors, disabled, client }: FieldsProps) {
  const set = (change: Partial<typeof draft>) => onChange({ ...draft, ...change });
  const registry = useQuery({
    queryKey: ["models", "names"],
    queryFn: ({ signal }) => api.get<Page<{ id: string }>>("/models", { limit: 500 }, signal),
    staleTime: 30_000,
    retry: false,
  });
  const ask = useMutation({ mutationFn: () => fetched(draft.provider ?? null, client) });
  const names = [...new Set((ask.data ?? registry.data?.items ?? []).map((model) => model.id))];
  return (
    <Fieldset legend="Models" disabled={disabled}>
      <div className={classes.grid}>
        <Autocomplete label="Default model" description="When a request names none" data={names} limit={100} spellCheck={false} value={draft.default_model ?? ""} error={errors.default_model} onChange={(name) => set({ default_model: name || null })} />
        <TagsInput label="Fallback models" description="Tried in this order" data={names} limit={100} value={draft.fallback_models ?? []} error={errors.fallback_models} onChange={(fallback_models) => set({ fallback_models })} acceptValueOnBlur />
        <TagsInput label="Allowed models" description="With * as a wildcard; empty allows all" data={names} limit={100} value={draft.allowed_models ?? []} error={errors.allowed_models} onChange={(allowed_models) => set({ allowed_models })} acceptValueOnBlur />
        <div className={classes.wide}>
          <PairsInput label="Aliases" description="A name that the client uses, and the model that it stands for" names={["Name", "Model"]} error={errors.aliases} value={draft.aliases ?? {}} onChange={(aliases) => set({ aliases })} />
        </div>
        {draft.provider && !disabled ? (
          <Group className={classes.wide} gap="xs">
            <Button size="compact-sm" variant="default" loading={ask.isPending} onClick={() => ask.mutate()}>Fetch its models</Button>
            <Text size="xs" c={ask.error ? "red" : "dimmed"} role={ask.error ? "alert" : "status"} style={{ overflowWrap: "anywhere" }}>
              {ask.error ? messageOf(ask.error) : ask.data ? `${names.length} ${names.length === 1 ? "model" : "models"}, offered in the fields above` : "The fields above then offer what the provider lists."}
            </Text>
          </Group>
        ) : null}
      </div>
    </Fieldset>
  );
}

/** The provider's list: by the stored key where none was typed. */
async function fetched(provider: ClientProvider | null, client: string | undefined): Promise<{ id: string }[]> {
  if (client && (!provider || (provider.api_key_set && !provider.api_key))) {
    const answer = await api.get<{ items: ProviderModel[]; error?: string }>(`/clients/${segment(client)}/models`, { fetch: true });
    if (answer.error) throw new Error(answer.error);
    return answer.items;
  }
  const { type, base_url, api_key, headers } = provider ?? { type: "" };
  return (await api.post<{ items: ProviderModel[] }>("/providers/models", { draft: { type, base_url, api_key, headers } })).items;
}
