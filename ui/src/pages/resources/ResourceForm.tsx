import { Alert, Badge, Button, Group, Paper, SegmentedControl, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { useNavigate } from "react-router";

import { api, ApiFailure } from "../../api/client";
import type { Kind, PluginDescription, ResourceItem } from "../../api/types";
import { CodeEditor } from "../../components/code/CodeEditor";
import { confirm } from "../../components/confirm";
import { formatFullTime } from "../../components/format";
import { notifyDone, notifyFailed } from "../../components/notify";
import { check, equal, isObject, SchemaForm, type Fault, type FieldProps, type JsonObject, type Schema } from "../../components/schema-form";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { messageOf } from "../../components/states";
import { Conflict } from "./Conflict";
import { PluginsEditor } from "./PluginsEditor";
import { resourcePage, resourcePath } from "./queries";
import { ReferenceField, REFERENCES } from "./ReferenceField";

interface Props {
  kind: Kind;
  plugins: PluginDescription[];
  /** The resource as it was read; null for a new one. */
  stored: ResourceItem | null;
  readOnly: boolean;
}

const MANAGERS = ["vault", "aws", "gcp"];
/** What the gateway fills in by itself. */
const STAMPED = ["create_time", "update_time", "id"];

export function ResourceForm({ kind, plugins, stored, readOnly }: Props) {
  const go = useNavigate();
  const queries = useQueryClient();
  const [base, setBase] = useState(stored);
  const [value, setValue] = useState<JsonObject>((stored?.value ?? {}) as JsonObject);
  const [text, setText] = useState(() => JSON.stringify(stored?.value ?? {}, null, 2));
  const [view, setView] = useState<"form" | "json">("form");
  const [id, setId] = useState("");
  const [faults, setFaults] = useState<Fault[]>([]);
  const [valid, setValid] = useState(false);
  const [theirs, setTheirs] = useState<ResourceItem | null>(null);
  const schema = useMemo(() => schemaFor(kind, plugins, base?.id ?? id), [kind, plugins, base, id]);
  const parsed = useMemo(() => parse(text), [text]);
  const draft = view === "json" ? parsed : value;
  const dirty = !equal(draft ?? undefined, ((base?.value ?? {}) as JsonObject)) || (base === null && id !== "");
  useEffect(() => (dirty ? warnOnLeave() : undefined), [dirty]);
  const target = base?.id ?? (ownId(kind) ? String(value[kind.id_member] ?? "") : id);

  const change = (next: JsonObject) => {
    setValue(next);
    setValid(false);
    if (faults.length > 0) setFaults(check(schema, next, schema));
  };
  const look = (next: "form" | "json") => {
    if (next === view) return;
    if (next === "json") setText(JSON.stringify(value, null, 2));
    else if (parsed === null) return;
    else setValue(parsed);
    setView(next);
  };
  const refuse = (error: unknown) => {
    setFaults(faultsOf(error));
    setValid(false);
  };
  const validate = useMutation({
    mutationFn: () => api.post(`/resources/${kind.kind}/validate`, { value: draft }),
    onSuccess: () => {
      setFaults([]);
      setValid(true);
    },
    onError: refuse,
  });
  const save = useMutation({
    mutationFn: (version: number | undefined) => api.put<ResourceItem>(resourcePath(kind.kind, target), { value: draft, version }),
    onSuccess: (made) => {
      notifyDone(base ? "Saved; in force now" : "Created; in force now");
      setTheirs(null);
      setFaults([]);
      void queries.invalidateQueries({ queryKey: ["resources"] });
      if (base === null) void go(resourcePage(kind.kind, made.id ?? target));
      else {
        setBase(made);
        setValue(made.value as JsonObject);
        setText(JSON.stringify(made.value, null, 2));
      }
    },
    onError: (error) => {
      const current = error instanceof ApiFailure && error.status === 409 ? error.current : undefined;
      if (isItem(current)) setTheirs(current);
      else refuse(error);
    },
  });
  const remove = useMutation({
    mutationFn: () => api.delete(`${resourcePath(kind.kind, target)}?version=${base?.version ?? 0}`),
    onSuccess: () => {
      notifyDone("Deleted");
      void queries.invalidateQueries({ queryKey: ["resources"] });
      void go(`/resources/${kind.kind}`);
    },
    onError: (error) => notifyFailed(error, "Not deleted"),
  });
  const submit = () => {
    if (draft === null) return;
    const found = [...idFaults(kind, base, target), ...check(schema, draft, schema)];
    setFaults(found);
    if (found.length === 0) save.mutate(base?.version);
  };
  const askDelete = async () => {
    const yes = await confirm({ title: `Delete ${target}?`, body: "It is out of force with the next request. The history of the raw configuration can bring it back.", action: "Delete", danger: true });
    if (yes) remove.mutate();
  };
  const override = (props: FieldProps) => {
    if (props.path === "plugins") return <PluginsEditor {...props} kind={kind.kind} plugins={plugins} faults={faults} readOnly={readOnly} />;
    const refers = REFERENCES[props.name];
    return refers && refers !== kind.kind ? <ReferenceField {...props} kind={refers} readOnly={readOnly} error={faults.find((fault) => fault.path === props.path)?.message} /> : undefined;
  };
  return (
    <Stack>
      {base?.compile_error ? (
        <Alert color="red" variant="light" title="Not in force">
          What is stored cannot be used: {base.compile_error}. The version before it still serves.
        </Alert>
      ) : null}
      <Group justify="space-between">
        <SegmentedControl size="xs" aria-label="Edit as" value={view} onChange={(next) => look(next as "form" | "json")} data={[{ value: "form", label: "Form" }, { value: "json", label: "JSON" }]} />
        {base ? <Text size="xs" c="dimmed">Version {base.version}{base.updated_at ? ` · ${formatFullTime(base.updated_at)}` : ""}</Text> : null}
      </Group>
      <Paper p="md">
        <Stack>
          {base === null ? <IdField kind={kind} plugins={plugins} id={id} onChange={setId} error={faults.find((fault) => fault.path === "id")?.message} /> : null}
          {view === "form" ? (
            <SchemaForm schema={schema} value={value} onChange={change} faults={faults} secrets={secretsOf(kind)} hidden={base !== null && ownId(kind) ? [...STAMPED, kind.id_member] : STAMPED} override={override} disabled={readOnly} />
          ) : (
            <CodeEditor label="Resource as JSON" language="json" value={text} onChange={(next) => { setText(next); setValid(false); }} readOnly={readOnly} height="min(60vh, 36rem)" />
          )}
        </Stack>
      </Paper>
      <Faults faults={faults} error={save.error ?? validate.error} />
      {valid ? <Alert color="teal" variant="light" role="status">Valid. Nothing was stored yet.</Alert> : null}
      {readOnly ? (
        <Text size="sm" c="dimmed">Your role may look, not change.</Text>
      ) : (
        <Group justify="space-between">
          <Group gap="xs">
            {base ? <Button variant="subtle" color="red" size="sm" loading={remove.isPending} onClick={() => void askDelete()}>Delete</Button> : null}
            <ShowAsApiCall method="PUT" path={resourcePath(kind.kind, target || "ID")} body={{ value: draft, version: base?.version }} />
          </Group>
          <Group gap="xs">
            {dirty ? <Badge variant="light" color="orange">not saved</Badge> : null}
            <Button variant="default" loading={validate.isPending} disabled={draft === null} onClick={() => validate.mutate()}>Validate</Button>
            <Button loading={save.isPending} disabled={draft === null || !dirty} onClick={submit}>{base ? "Save" : "Create"}</Button>
          </Group>
        </Group>
      )}
      <Conflict
        theirs={theirs}
        mine={draft ?? {}}
        onClose={() => setTheirs(null)}
        onTake={(item) => {
          setBase(item);
          setValue(item.value as JsonObject);
          setText(JSON.stringify(item.value, null, 2));
          setTheirs(null);
        }}
        onOverwrite={(item) => save.mutate(item.version)}
      />
    </Stack>
  );
}

function warnOnLeave(): () => void {
  const ask = (event: BeforeUnloadEvent) => event.preventDefault();
  window.addEventListener("beforeunload", ask);
  return () => window.removeEventListener("beforeunload", ask);
}

/** Kinds whose id is a member of theirs that people fill in, such as a consumer's `username`. */
function ownId(kind: Kind): boolean {
  return kind.id_member !== "id" && kind.kind !== "plugin_metadata" && kind.kind !== "secrets";
}

function schemaFor(kind: Kind, plugins: PluginDescription[], id: string): Schema {
  if (kind.kind === "plugin_metadata") return (plugins.find((plugin) => plugin.name === id)?.metadata_schema as Schema | undefined) ?? { type: "object" };
  const schema = kind.schema as Schema & Record<string, Schema>;
  if (kind.kind === "secrets" && !schema.properties) return schema[id.split("/")[0] ?? ""] ?? { type: "object" };
  // The id is a matter of the address.
  return { ...schema, required: (schema.required ?? []).filter((name) => name !== "id") };
}

/** Secrets of the kinds themselves; those of plugins are declared by the plugins. */
function secretsOf(kind: Kind): string[] {
  const known: Record<string, string[]> = {
    ssls: ["key", "keys"],
    upstreams: ["tls.client_key"],
    services: ["upstream.tls.client_key"],
    routes: ["upstream.tls.client_key"],
    secrets: ["token", "secret_access_key", "session_token", "auth_config.private_key"],
    providers: ["auth.api_key", "auth.header", "auth.query", "auth.gcp.service_account_json", "auth.aws.secret_access_key", "auth.aws.session_token"],
  };
  return known[kind.kind] ?? [];
}

function parse(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function idFaults(kind: Kind, base: ResourceItem | null, id: string): Fault[] {
  if (base) return [];
  if (id === "" && ownId(kind)) return [{ path: kind.id_member, message: "is needed" }];
  if (id === "") return [{ path: "id", message: "is needed" }];
  const pattern = kind.kind === "secrets" ? /^(vault|aws|gcp)\/[a-zA-Z0-9-_.]{1,64}$/ : kind.kind === "credentials" ? /^[^/]+\/[a-zA-Z0-9-_.]{1,64}$/ : /^[a-zA-Z0-9-_.]{1,256}$/;
  return pattern.test(id) ? [] : [{ path: "id", message: kind.kind === "credentials" ? "is consumer/credential" : "takes letters, digits, - _ and ." }];
}

function faultsOf(error: unknown): Fault[] {
  return error instanceof ApiFailure ? error.fields.map(({ field, message }) => ({ path: field.replace(/^value\./, ""), message })) : [];
}

function isItem(value: unknown): value is ResourceItem {
  return typeof value === "object" && value !== null && "value" in value && "version" in value;
}

function IdField({ kind, plugins, id, onChange, error }: { kind: Kind; plugins: PluginDescription[]; id: string; onChange: (id: string) => void; error?: string }) {
  if (ownId(kind)) return null;
  if (kind.kind === "plugin_metadata") {
    return <Select label="Plugin" withAsterisk searchable data={plugins.filter((plugin) => plugin.metadata_schema).map((plugin) => plugin.name)} value={id || null} onChange={(next) => onChange(next ?? "")} error={error} />;
  }
  if (kind.kind === "secrets") {
    const [manager = "vault", name = ""] = id.split("/");
    return (
      <Group gap="sm" align="flex-start">
        <Select label="Manager" w={140} data={MANAGERS} value={MANAGERS.includes(manager) ? manager : "vault"} allowDeselect={false} onChange={(next) => onChange(`${next ?? "vault"}/${name}`)} />
        <TextInput label="ID" withAsterisk flex={1} value={name} error={error} spellCheck={false} onChange={(event) => onChange(`${MANAGERS.includes(manager) ? manager : "vault"}/${event.currentTarget.value}`)} />
      </Group>
    );
  }
  return <TextInput label="ID" description={kind.kind === "credentials" ? "consumer/credential" : "Unique; part of the address of this resource"} withAsterisk value={id} error={error} spellCheck={false} autoComplete="off" onChange={(event) => onChange(event.currentTarget.value)} />;
}

function Faults({ faults, error }: { faults: Fault[]; error: unknown }) {
  const message = error && !(error instanceof ApiFailure && error.status === 409 && error.current) ? messageOf(error) : null;
  if (faults.length === 0 && !message) return null;
  return (
    <Alert color="red" variant="light" role="alert" title={message ? "The gateway refused this" : "Something is not right yet"}>
      {message && faults.length === 0 ? <Text size="sm">{message}</Text> : null}
      {faults.map((fault, index) => (
        <Text key={index} size="sm">
          {fault.path ? <Text span ff="monospace" size="sm">{fault.path} </Text> : null}
          {fault.message}
        </Text>
      ))}
    </Alert>
  );
}
