import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { api, ApiFailure, segment } from "../../api/client";
import type { Client } from "../../api/types";
import { DiffView } from "../../components/diff/DiffView";
import { fieldErrors, useFirstFault } from "../../components/fieldErrors";
import { notifyDone } from "../../components/notify";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { messageOf } from "../../components/states";
import { ClientFields } from "./ClientFields";
import { changes, draftOf, sendable } from "./draft";

export function ClientSettings({ client, readOnly }: { client: Client; readOnly: boolean }) {
  const queries = useQueryClient();
  const [base, setBase] = useState(client);
  const [draft, setDraft] = useState(() => draftOf(client));
  const changed = changes(draftOf(base), draft);
  const dirty = Object.keys(changed).length > 0;
  if (client.version !== base.version && !dirty) {
    setBase(client);
    setDraft(draftOf(client));
  }
  const body = { ...sendable(changed), version: base.version };
  const save = useMutation({
    mutationFn: (version: number) => api.patch<Client>(`/clients/${segment(client.id)}`, { ...body, version }),
    onSuccess: (saved) => {
      notifyDone("Saved; in force with the next request");
      setBase(saved);
      setDraft(draftOf(saved));
      queries.setQueryData(["clients", client.id], saved);
      void queries.invalidateQueries({ queryKey: ["clients"] });
      void queries.invalidateQueries({ queryKey: ["limits"] });
    },
  });
  const theirs = save.error instanceof ApiFailure && save.error.status === 409 ? (save.error.current as Client | undefined) : undefined;
  const form = useFirstFault(save.error);
  const unmanaged = base.unmanaged_plugins ?? [];
  return (
    <form
      ref={form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(base.version);
      }}
    >
      <Stack>
        {unmanaged.length > 0 ? (
          <Alert variant="light" color="blue" p="sm">
            <Text size="sm">
              This client has plugins that this form does not show: {unmanaged.join(", ")}. They are kept; see{" "}
              <Link to={`/resources/consumers/edit/${encodeURIComponent(client.id)}`}>the consumer</Link>.
            </Text>
          </Alert>
        ) : null}
        <ClientFields key={base.version} draft={draft} onChange={setDraft} errors={fieldErrors(save.error)} disabled={readOnly} client={client.id} />
        {theirs ? (
          <Alert color="orange" variant="light" role="alert" title="Somebody else changed this client meanwhile; nothing was stored">
            <Stack gap="xs">
              <DiffView before={JSON.stringify(draftOf(theirs), null, 2)} after={JSON.stringify(draft, null, 2)} label="From what is stored to yours" />
              <Group gap="xs">
                <Button size="xs" variant="default" onClick={() => { setBase(theirs); setDraft(draftOf(theirs)); save.reset(); }}>Drop mine, take theirs</Button>
                <Button size="xs" onClick={() => save.mutate(theirs.version)}>Save only what I changed, on top of theirs</Button>
              </Group>
            </Stack>
          </Alert>
        ) : save.error ? (
          <Alert color="red" variant="light" role="alert">{messageOf(save.error)}</Alert>
        ) : null}
        {readOnly ? (
          <Text size="sm" c="dimmed">Your role may look, not change.</Text>
        ) : (
          <Group justify="space-between">
            <ShowAsApiCall method="PATCH" path={`/clients/${segment(client.id)}`} body={body} />
            <Group gap="xs">
              <Button variant="default" disabled={!dirty} onClick={() => setDraft(draftOf(base))}>Undo changes</Button>
              <Button type="submit" disabled={!dirty} loading={save.isPending}>Save</Button>
            </Group>
          </Group>
        )}
      </Stack>
    </form>
  );
}
