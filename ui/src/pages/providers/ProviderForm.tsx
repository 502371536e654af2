import { Alert, Button, Fieldset, Group, NumberInput, Select, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";

import { api, ApiFailure, segment } from "../../api/client";
import type { Provider, ProviderWrite } from "../../api/types";
import { confirm } from "../../components/confirm";
import { fieldErrors, formError, useFirstFault } from "../../components/fieldErrors";
import { notifyDone, notifyFailed } from "../../components/notify";
import { PairsInput } from "../../components/PairsInput";
import { SecretInput } from "../../components/SecretInput";
import { MASK } from "../../components/schema-form";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import classes from "../clients/clients.module.css";
import { useProviderTypes } from "../clients/ClientFields";
import { ProviderCheck, useProviderCheck } from "./ProviderCheck";

const EMPTY: ProviderWrite = { type: "openai", ssl_verify: true };

function draftOf(p: Provider): ProviderWrite {
  return { name: p.name, type: p.type, base_url: p.base_url, headers: p.headers, timeout_ms: p.timeout_ms, ssl_verify: p.ssl_verify, region: p.region, project_id: p.project_id, aws: p.aws };
}

/** Fields that show messages of their own. */
const FIELDS = ["type", "id", "name", "base_url", "api_key", "region", "project_id", "aws.access_key_id", "aws.secret_access_key", "timeout_ms", "headers"];

/** A provider: what it is, its key, and a real call, before it is stored or after. */
export function ProviderForm({ stored, readOnly, onCreated }: { stored: Provider | null; readOnly: boolean; onCreated?: (provider: Provider) => void }) {
  const go = useNavigate();
  const queries = useQueryClient();
  const types = useProviderTypes();
  const [base, setBase] = useState(stored);
  const [draft, setDraft] = useState<ProviderWrite>(stored ? draftOf(stored) : EMPTY);
  const set = (change: Partial<ProviderWrite>) => setDraft({ ...draft, ...change });
  const type = types.data?.find((one) => one.type === draft.type);
  const needs = new Set(type?.needs ?? []);
  const body = base ? { ...draft, version: base.version } : draft;
  const path = base ? `/providers/${segment(base.id)}` : "/providers";
  const save = useMutation({
    mutationFn: () => (base ? api.patch<Provider>(path, body) : api.post<Provider>(path, body)),
    onSuccess: (saved) => {
      void queries.invalidateQueries({ queryKey: ["providers"] });
      notifyDone(base ? "Saved; in force with the next request" : "Provider added");
      if (!base && !onCreated) void go(`/providers/${encodeURIComponent(saved.id)}`);
      else {
        setBase(saved);
        setDraft(draftOf(saved));
      }
    },
  });
  const check = useProviderCheck(base?.id, draft);
  const remove = useMutation({
    mutationFn: (force: boolean) => api.delete(path, { force }),
    onSuccess: () => { notifyDone("Deleted"); void queries.invalidateQueries({ queryKey: ["providers"] }); void go("/providers"); },
    onError: (error) => notifyFailed(error, "Not deleted"),
  });
  const askDelete = async () => {
    const used = base?.models_using ?? [];
    const yes = await confirm({ title: `Delete ${base?.id}?`, body: used.length > 0 ? `These models point to it and will have one target less: ${used.join(", ")}.` : "Nothing points to it.", action: "Delete", danger: true });
    if (yes) remove.mutate(used.length > 0);
  };
  const errors = { ...fieldErrors(check.error), ...fieldErrors(save.error) };
  const form = useFirstFault(save.error ?? check.error);
  const message = formError(save.error, FIELDS);
  const conflict = save.error instanceof ApiFailure && save.error.status === 409 ? (save.error.current as Provider | undefined) : undefined;
  return (
    <form ref={form} noValidate onSubmit={(event) => { event.preventDefault(); check.test.reset(); check.models.reset(); save.mutate(); }}>
      <Stack>
        <Fieldset legend="Provider" disabled={readOnly}>
          <div className={classes.grid}>
            <Select label="Type" withAsterisk searchable data={(types.data ?? []).map((one) => ({ value: one.type, label: one.title }))} value={draft.type} allowDeselect={false} disabled={base !== null} error={errors.type} onChange={(value) => set({ type: value ?? draft.type })} />
            {base ? null : <TextInput label="ID" placeholder={draft.type} description="Models refer to it; made from the type when empty" value={draft.id ?? ""} error={errors.id} spellCheck={false} onChange={(event) => set({ id: event.currentTarget.value || undefined })} />}
            <TextInput label="Name" value={draft.name ?? ""} error={errors.name} onChange={(event) => set({ name: event.currentTarget.value || undefined })} />
            <TextInput label="Base URL" placeholder={type?.base_url ?? "https://…"} withAsterisk={needs.has("base_url")} value={draft.base_url ?? ""} error={errors.base_url} spellCheck={false} onChange={(event) => set({ base_url: event.currentTarget.value || null })} />
            {needs.has("aws") ? null : <SecretInput label="API key" withAsterisk={needs.has("api_key")} stored={base?.api_key_set === true} hint={base?.api_key_hint} value={draft.api_key} error={errors.api_key} onChange={(api_key) => set({ api_key })} />}
            {needs.has("region") || draft.region ? <TextInput label="Region" value={draft.region ?? ""} error={errors.region} onChange={(event) => set({ region: event.currentTarget.value || undefined })} /> : null}
            {needs.has("project") || draft.project_id ? <TextInput label="Project" value={draft.project_id ?? ""} error={errors.project_id} onChange={(event) => set({ project_id: event.currentTarget.value || undefined })} /> : null}
            {needs.has("aws") ? <Aws base={base} draft={draft} onChange={set} errors={errors} /> : null}
            <NumberInput label="Timeout" suffix=" ms" placeholder="30000" min={1} max={600000} hideControls value={draft.timeout_ms ?? ""} error={errors.timeout_ms} onChange={(value) => set({ timeout_ms: value === "" ? undefined : Number(value) })} />
            <Switch label="Verify its certificate" checked={draft.ssl_verify !== false} onChange={(event) => set({ ssl_verify: event.currentTarget.checked })} />
            <div className={classes.wide}><PairsInput label="Extra headers" names={["Header", "Value"]} error={errors.headers} value={draft.headers ?? {}} onChange={(headers) => set({ headers })} /></div>
          </div>
        </Fieldset>
        {readOnly ? null : <ProviderCheck check={check} fields={FIELDS} />}
        {message ? (
          <Alert color="red" variant="light" role="alert" title={conflict ? "Somebody else changed it meanwhile; nothing was stored" : undefined}>
            {conflict ? <Button size="xs" variant="default" onClick={() => { setBase(conflict); setDraft(draftOf(conflict)); save.reset(); }}>Load what is stored</Button> : message}
          </Alert>
        ) : null}
        {readOnly ? <Text size="sm" c="dimmed">Your role may look, not change.</Text> : (
          <Group justify="space-between">
            <Group gap="xs">
              {base ? <Button variant="subtle" color="red" onClick={() => void askDelete()}>Delete</Button> : null}
              <ShowAsApiCall method={base ? "PATCH" : "POST"} path={path} body={body} />
            </Group>
            <Group gap="xs">
              <Button type="submit" variant={base && onCreated ? "default" : "filled"} loading={save.isPending}>{base ? "Save" : "Add provider"}</Button>
              {base && onCreated ? <Button onClick={() => onCreated(base)}>Continue</Button> : null}
            </Group>
          </Group>
        )}
      </Stack>
    </form>
  );
}

function Aws({ base, draft, onChange, errors }: { base: Provider | null; draft: ProviderWrite; onChange: (change: Partial<ProviderWrite>) => void; errors: Record<string, string> }) {
  const aws = draft.aws ?? { access_key_id: "" };
  return (
    <>
      <TextInput label="Access key ID" withAsterisk value={aws.access_key_id} error={errors["aws.access_key_id"]} onChange={(event) => onChange({ aws: { ...aws, access_key_id: event.currentTarget.value } })} />
      <SecretInput label="Secret access key" stored={base?.aws?.secret_access_key === MASK} value={aws.secret_access_key === MASK ? undefined : aws.secret_access_key} error={errors["aws.secret_access_key"]} onChange={(secret_access_key) => onChange({ aws: { ...aws, secret_access_key: secret_access_key ?? base?.aws?.secret_access_key } })} />
      <SecretInput label="Session token" stored={false} value={aws.session_token} error={errors["aws.session_token"]} onChange={(session_token) => onChange({ aws: { ...aws, session_token } })} />
    </>
  );
}
