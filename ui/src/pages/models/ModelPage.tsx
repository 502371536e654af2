import { Alert, Anchor, Button, Group, Paper, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useParams } from "react-router";

import { api, ApiFailure, segment } from "../../api/client";
import { useMay } from "../../api/session";
import { confirm } from "../../components/confirm";
import { formatMoney } from "../../components/format";
import { notifyDone, notifyFailed } from "../../components/notify";
import { PageHeader } from "../../components/PageHeader";
import { check, SchemaForm, type Fault, type FieldProps, type JsonObject, type Schema } from "../../components/schema-form";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { ErrorState, LoadingState, messageOf, NoPermission } from "../../components/states";
import { useKinds } from "../resources/queries";
import { RATES, ratesOf, type Model } from "./model";
import { PriceFields } from "./PriceFields";
import { ProviderField } from "./ProviderField";

export function ModelPage() {
  const { id } = useParams();
  const mayWrite = useMay("admin");
  const kinds = useKinds();
  const { data, error, refetch } = useQuery({ queryKey: ["models", id], queryFn: ({ signal }) => api.get<Model>(`/models/${segment(id ?? "")}`, undefined, signal), enabled: id !== undefined });
  if (id === undefined && !mayWrite) return <NoPermission needs="admin" />;
  const schema = kinds.data?.find((kind) => kind.kind === "models")?.schema as Schema | undefined;
  const failed = error ?? kinds.error;
  return (
    <>
      <PageHeader title={id ?? "Add a model"} back={<Anchor component={Link} to="/models" fz="sm">Models</Anchor>} />
      {failed ? <ErrorState error={failed} retry={() => void refetch()} /> : null}
      {!failed && (!schema || (id !== undefined && !data)) ? <LoadingState /> : null}
      {schema && (id === undefined || data) ? <Form key={id ?? ""} stored={data ?? null} schema={schema} readOnly={!mayWrite} /> : null}
    </>
  );
}

const OWN = ["id", "version", "price", "create_time", "update_time"];

function valueOf(model: Model | null): JsonObject {
  return Object.fromEntries(Object.entries(model ?? { targets: [{}] }).filter(([name]) => !OWN.includes(name))) as JsonObject;
}

function Form({ stored, schema, readOnly }: { stored: Model | null; schema: Schema; readOnly: boolean }) {
  const go = useNavigate();
  const queries = useQueryClient();
  const [base, setBase] = useState(stored);
  const [value, setValue] = useState<JsonObject>(() => valueOf(stored));
  const [id, setId] = useState("");
  const [faults, setFaults] = useState<Fault[]>([]);
  const path = `/models/${segment(base?.id ?? id.trim())}`;
  const body = base ? { ...value, version: base.version } : value;
  const save = useMutation({
    mutationFn: () => api.put<Model>(path, body),
    onSuccess: (saved) => {
      notifyDone(base ? "Saved; in force with the next request" : "Model added");
      void queries.invalidateQueries({ queryKey: ["models"] });
      if (!base) void go("/models");
      else {
        setBase(saved);
        setValue(valueOf(saved));
      }
    },
    onError: (error) => {
      if (error instanceof ApiFailure) setFaults(error.fields.map(({ field, message }) => ({ path: field, message })));
    },
  });
  const remove = useMutation({
    mutationFn: () => api.delete(path, { version: base?.version }),
    onSuccess: () => { notifyDone("Deleted"); void queries.invalidateQueries({ queryKey: ["models"] }); void go("/models"); },
    onError: (error) => notifyFailed(error, "Not deleted"),
  });
  const submit = () => {
    const found = [...(base || id.trim() !== "" ? [] : [{ path: "id", message: "is needed" }]), ...check(schema, value, schema)];
    setFaults(found);
    if (found.length === 0) save.mutate();
  };
  const askDelete = async () => {
    if (await confirm({ title: `Delete ${base?.id}?`, body: "Clients that ask for it are refused from the next request on.", action: "Delete", danger: true })) remove.mutate();
  };
  const override = (props: FieldProps) => {
    if (props.name === "prices") return <PriceFields {...props} disabled={readOnly} />;
    if (props.name === "provider") return <ProviderField {...props} disabled={readOnly} error={faults.find((fault) => fault.path === props.path)?.message} />;
    return undefined;
  };
  return (
    <Stack>
      {base ? <Price model={base} /> : null}
      <Paper p="md">
        <Stack>
          {base ? null : <TextInput maw={360} label="ID" description="What clients ask for, unless a name is given" withAsterisk value={id} spellCheck={false} error={faults.find((fault) => fault.path === "id")?.message} onChange={(event) => setId(event.currentTarget.value)} />}
          <SchemaForm schema={schema} value={value} onChange={(next) => { setValue(next); if (faults.length > 0) setFaults(check(schema, next, schema)); }} faults={faults} hidden={OWN} override={override} disabled={readOnly} />
        </Stack>
      </Paper>
      {save.error && faults.length === 0 ? <Alert color="red" variant="light" role="alert">{messageOf(save.error)}</Alert> : null}
      {faults.length > 0 ? <Alert color="red" variant="light" role="alert" title="Something is not right yet">{faults.map((fault, index) => <Text key={index} size="sm">{fault.path} {fault.message}</Text>)}</Alert> : null}
      {readOnly ? <Text size="sm" c="dimmed">Your role may look, not change.</Text> : (
        <Group justify="space-between">
          <Group gap="xs">
            {base ? <Button variant="subtle" color="red" onClick={() => void askDelete()}>Delete</Button> : null}
            <ShowAsApiCall method="PUT" path={path} body={body} />
          </Group>
          <Button loading={save.isPending} onClick={submit}>{base ? "Save" : "Add model"}</Button>
        </Group>
      )}
    </Stack>
  );
}

function Price({ model: { price } }: { model: Model }) {
  if (price.state === "unpriced") return <Alert color="orange" variant="light" title="Unpriced">No price is known. Calls are booked without a cost, and clients with a money budget are refused this model. Set a price below.</Alert>;
  const rates = RATES.filter(({ name }) => ratesOf(price)[name] !== undefined);
  return (
    <Text size="sm" c="dimmed">
      Price per million tokens, {price.source === "configured" ? "set here" : "from the table of this build"}: {rates.map(({ name, label }) => `${label.toLowerCase()} ${formatMoney(ratesOf(price)[name] ?? 0)}`).join(", ")}.
    </Text>
  );
}
