import { Alert, Button, Drawer, Group, Loader, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";

import { api } from "../../api/client";
import type { Client, ClientWrite } from "../../api/types";
import { fieldErrors, formError, useFirstFault } from "../../components/fieldErrors";
import { NewKey } from "../../components/NewKey";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { ClientFields } from "./ClientFields";
import { EMPTY, sendable } from "./draft";

interface Created {
  client: Client;
  key: { id: string; key: string; hint: string };
}

/** A new client, starting from the defaults of the configuration; its first key is shown once. */
export function CreateClient({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const defaults = useQuery({ queryKey: ["clients", "defaults"], queryFn: ({ signal }) => api.get<ClientWrite>("/clients/defaults", undefined, signal), enabled: opened });
  return (
    <Drawer opened={opened} onClose={onClose} position="right" size="xl" title="New client" closeButtonProps={{ "aria-label": "Close" }}>
      {opened && (defaults.data || defaults.error) ? <Form start={{ ...EMPTY, ...defaults.data, name: "" }} onClose={onClose} /> : opened ? <Loader role="status" aria-label="Loading" /> : null}
    </Drawer>
  );
}

function Form({ start, onClose }: { start: ClientWrite; onClose: () => void }) {
  const go = useNavigate();
  const queries = useQueryClient();
  const [draft, setDraft] = useState(start);
  const [id, setId] = useState("");
  const body = sendable({ ...draft, ...(id.trim() === "" ? {} : { id: id.trim() }) });
  const create = useMutation({
    mutationFn: () => api.post<Created>("/clients", body),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["clients"] }),
  });
  const errors = fieldErrors(create.error);
  const message = formError(create.error, SHOWN);
  const form = useFirstFault(create.error);
  if (create.data) {
    const { client, key } = create.data;
    return (
      <Stack>
        <Text>
          <b>{client.name}</b> can call from now on.
        </Text>
        <NewKey value={key.key} />
        <Group justify="flex-end">
          <Button onClick={() => void go(`/clients/${encodeURIComponent(client.id)}`)}>Open the client</Button>
        </Group>
      </Stack>
    );
  }
  return (
    <form
      ref={form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate();
      }}
    >
      <Stack>
        <ClientFields draft={draft} onChange={setDraft} errors={errors} />
        <TextInput maw={320} label="ID" description="Made from the name when empty" value={id} error={errors.id} spellCheck={false} onChange={(event) => setId(event.currentTarget.value)} />
        {message ? <Alert color="red" variant="light" role="alert">{message}</Alert> : null}
        <Group justify="space-between">
          <ShowAsApiCall method="POST" path="/clients" body={body} />
          <Group gap="xs">
            <Button variant="default" onClick={onClose}>Cancel</Button>
            <Button type="submit" loading={create.isPending}>Create client</Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}

/** Fields that show messages of their own. */
const SHOWN = [
  "name", "id", "owner", "tags", "expires_at", "description", "provider", "default_model", "fallback_models", "allowed_models", "aliases",
  "system_prompt", "limits", "allowed_endpoints", "allowed_addresses",
];
