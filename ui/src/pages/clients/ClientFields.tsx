import { Checkbox, Fieldset, JsonInput, Select, Stack, Switch, TagsInput, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { api } from "../../api/client";
import type { ClientWrite } from "../../api/types";
import { DateTimeInput } from "../../components/DateTimeInput";
import { SecretInput } from "../../components/SecretInput";
import classes from "./clients.module.css";
import { LimitFields } from "./LimitFields";
import { ModelFields } from "./ModelFields";

export interface FieldsProps {
  draft: ClientWrite;
  onChange: (draft: ClientWrite) => void;
  errors: Record<string, string>;
  disabled?: boolean;
  /** Its id, once it is stored. */
  client?: string;
}

interface ProviderType {
  type: string;
  title: string;
  base_url: string | null;
  needs: string[];
}

export function useProviderTypes() {
  return useQuery({ queryKey: ["provider-types"], queryFn: ({ signal }) => api.get<{ items: ProviderType[] }>("/provider-types", undefined, signal), staleTime: Infinity, select: (data) => data.items });
}

/** All settings of a client. Empty, or zero, means without limit. */
export function ClientFields({ draft, onChange, errors, disabled, client }: FieldsProps) {
  const set = (change: Partial<ClientWrite>) => onChange({ ...draft, ...change });
  const prompt = draft.system_prompt;
  return (
    <Stack>
      <Fieldset legend="Who" disabled={disabled}>
        <div className={classes.grid}>
          <TextInput label="Name" withAsterisk value={draft.name} error={errors.name} onChange={(event) => set({ name: event.currentTarget.value })} />
          <TextInput label="Owner" placeholder="Who answers for it" value={draft.owner ?? ""} error={errors.owner} onChange={(event) => set({ owner: event.currentTarget.value })} />
          <TagsInput label="Tags" value={draft.tags ?? []} error={errors.tags} onChange={(tags) => set({ tags })} acceptValueOnBlur />
          <DateTimeInput label="Expires" value={draft.expires_at ?? null} error={errors.expires_at} onChange={(expires_at) => set({ expires_at })} />
          <Textarea className={classes.wide} label="Description" autosize minRows={1} maxRows={6} value={draft.description ?? ""} error={errors.description} onChange={(event) => set({ description: event.currentTarget.value })} />
          <Switch label="Active" description="When off, its keys are refused" error={errors.active} checked={draft.active !== false} onChange={(event) => set({ active: event.currentTarget.checked })} />
          <Switch label="Log payloads" description="Keep what it sends and gets, secrets masked" checked={draft.log_payloads === true} onChange={(event) => set({ log_payloads: event.currentTarget.checked })} />
        </div>
      </Fieldset>
      <ProviderFields draft={draft} onChange={onChange} errors={errors} disabled={disabled} />
      <ModelFields draft={draft} onChange={onChange} errors={errors} disabled={disabled} client={client} />
      <Fieldset legend="System prompt and tools" disabled={disabled}>
        <div className={classes.grid}>
          <Textarea
            className={classes.wide}
            label="System prompt"
            autosize
            minRows={2}
            maxRows={12}
            value={prompt?.text ?? ""}
            error={errors.system_prompt ?? errors["system_prompt.text"]}
            onChange={(event) => set({ system_prompt: event.currentTarget.value === "" ? null : { position: "first", locked: false, ...prompt, text: event.currentTarget.value } })}
          />
          {prompt ? (
            <>
              <Select label="Where it goes" data={[{ value: "first", label: "Before the caller’s" }, { value: "last", label: "After the caller’s" }, { value: "replace", label: "Instead of the caller’s" }]} value={prompt.position} allowDeselect={false} onChange={(value) => set({ system_prompt: { ...prompt, position: (value ?? "first") as "first" } })} />
              <Checkbox mt="lg" label="Locked: callers cannot add system messages" checked={prompt.locked} onChange={(event) => set({ system_prompt: { ...prompt, locked: event.currentTarget.checked } })} />
            </>
          ) : null}
          <Select label="Tools" description="Who runs the tools of a request" data={[{ value: "pass-through", label: "The caller (pass-through)" }, { value: "gateway", label: "The gateway, its registered tools" }]} value={draft.tool_mode ?? "pass-through"} allowDeselect={false} onChange={(value) => set({ tool_mode: (value ?? "pass-through") as "gateway" })} />
        </div>
      </Fieldset>
      <Fieldset legend="Limits and budgets" disabled={disabled}>
        <LimitFields value={draft.limits ?? {}} onChange={(limits) => set({ limits })} errors={errors} />
      </Fieldset>
      <Fieldset legend="Access" disabled={disabled}>
        <div className={classes.grid}>
          <TagsInput label="Allowed endpoints" description="Paths; empty allows all" placeholder="/v1/chat/completions" value={draft.allowed_endpoints ?? []} error={errors.allowed_endpoints} onChange={(allowed_endpoints) => set({ allowed_endpoints })} acceptValueOnBlur />
          <TagsInput label="Allowed addresses" description="IP addresses or networks; empty allows all" placeholder="203.0.113.0/24" value={draft.allowed_addresses ?? []} error={errors.allowed_addresses} onChange={(allowed_addresses) => set({ allowed_addresses })} acceptValueOnBlur />
        </div>
      </Fieldset>
    </Stack>
  );
}

function ProviderFields({ draft, onChange, errors, disabled }: FieldsProps) {
  const types = useProviderTypes();
  const provider = draft.provider ?? null;
  const chosen = types.data?.find((one) => one.type === provider?.type);
  const set = (next: ClientWrite["provider"]) => onChange({ ...draft, provider: next });
  return (
    <Fieldset legend="Provider" disabled={disabled}>
      <div className={classes.grid}>
        <Select
          label="Provider"
          description="Without one, the model registry picks the provider by the model’s name"
          placeholder="Model registry"
          data={(types.data ?? []).map((one) => ({ value: one.type, label: one.title }))}
          value={provider?.type ?? null}
          searchable
          clearable
          error={errors.provider ?? errors["provider.type"]}
          onChange={(type) => set(type === null ? null : { ...(provider?.type === type ? provider : {}), type })}
        />
        {provider ? (
          <>
            <TextInput label="Base URL" placeholder={chosen?.base_url ?? "https://…"} withAsterisk={chosen?.needs.includes("base_url")} value={provider.base_url ?? ""} error={errors["provider.base_url"]} onChange={(event) => set({ ...provider, base_url: event.currentTarget.value || null })} />
            <SecretInput label="API key" stored={provider.api_key_set === true} hint={provider.api_key_hint} value={provider.api_key} error={errors["provider.api_key"]} onChange={(api_key) => set({ ...provider, api_key })} />
            <JsonInput className={classes.wide} key={provider.type} label="Options, as JSON" description="Members that go into every request body" autosize minRows={1} maxRows={10} defaultValue={Object.keys(provider.options ?? {}).length > 0 ? JSON.stringify(provider.options, null, 2) : ""} validationError="This is not JSON yet" onChange={(text) => { const options = parse(text); if (options) set({ ...provider, options }); }} />
          </>
        ) : null}
      </div>
    </Fieldset>
  );
}

function parse(text: string): Record<string, unknown> | null {
  if (text.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
