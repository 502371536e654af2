import { Badge, Button, Code, Group, Modal, NumberInput, Paper, Select, Stack, Switch, Table, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, segment } from "../../api/client";
import type { Client, ClientKey } from "../../api/types";
import { confirm } from "../../components/confirm";
import { DateTimeInput } from "../../components/DateTimeInput";
import { fieldErrors, formError } from "../../components/fieldErrors";
import { formatAgo } from "../../components/format";
import { NewKey } from "../../components/NewKey";
import { notifyDone, notifyFailed } from "../../components/notify";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { EmptyState, ErrorState } from "../../components/states";

const STYLES = [
  { value: "gm", label: "gm_…" },
  { value: "sk", label: "sk-…" },
  { value: "sk-ant", label: "sk-ant-…" },
  { value: "custom", label: "A prefix of your own" },
];

/** The keys of a client: several at once, each with its own expiry. */
export function ClientKeys({ client, readOnly }: { client: Client; readOnly: boolean }) {
  const [creating, { open, close }] = useDisclosure(false);
  const [rotating, setRotating] = useState<ClientKey | null>(null);
  return (
    <Stack>
      {readOnly ? null : (
        <Group justify="flex-end">
          <Button size="xs" leftSection={<IconPlus size={14} aria-hidden />} onClick={open}>New key</Button>
        </Group>
      )}
      {client.keys.length === 0 ? <EmptyState title="No keys">Without one, this client cannot call.</EmptyState> : null}
      {client.keys.length > 0 ? (
        <Paper style={{ overflow: "hidden" }}>
          <Table.ScrollContainer minWidth={720} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
            <Table aria-label="Keys">
              <Table.Thead>
                <Table.Tr><Table.Th>Key</Table.Th><Table.Th>Name</Table.Th><Table.Th>Made</Table.Th><Table.Th>Expires</Table.Th><Table.Th>Last used</Table.Th><Table.Th>Active</Table.Th><Table.Th /></Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {client.keys.map((key) => <KeyRow key={key.id} client={client} item={key} readOnly={readOnly} onRotate={() => setRotating(key)} />)}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      ) : null}
      <Modal opened={creating} onClose={close} title="New key" closeButtonProps={{ "aria-label": "Close" }}>{creating ? <Create client={client} onDone={close} /> : null}</Modal>
      <Modal opened={rotating !== null} onClose={() => setRotating(null)} title={`Rotate ${rotating?.hint ?? ""}`} closeButtonProps={{ "aria-label": "Close" }}>{rotating ? <Rotate client={client} item={rotating} onDone={() => setRotating(null)} /> : null}</Modal>
    </Stack>
  );
}

function KeyRow({ client, item, readOnly, onRotate }: { client: Client; item: ClientKey; readOnly: boolean; onRotate: () => void }) {
  const queries = useQueryClient();
  const path = `/clients/${segment(client.id)}/keys/${segment(item.id)}`;
  const refresh = () => void queries.invalidateQueries({ queryKey: ["clients"] });
  const patch = useMutation({ mutationFn: (active: boolean) => api.patch(path, { active }), onSuccess: refresh, onError: (error) => notifyFailed(error) });
  const remove = useMutation({ mutationFn: () => api.delete(path), onSuccess: () => { notifyDone("Key revoked"); refresh(); }, onError: (error) => notifyFailed(error) });
  const reveal = useMutation({ mutationFn: () => api.get<{ key: string }>(`${path}/reveal`), onError: (error) => notifyFailed(error) });
  const ask = async () => {
    if (await confirm({ title: `Revoke ${item.hint}?`, body: "It is refused from the next request on, everywhere, for good.", action: "Revoke", danger: true })) remove.mutate();
  };
  const expired = item.expires_at !== null && item.expires_at < Date.now();
  return (
    <Table.Tr>
      <Table.Td><Code>{reveal.data?.key ?? item.hint}</Code></Table.Td>
      <Table.Td>{item.name ?? "–"}{item.rotated_to ? <Badge size="xs" ml={6} variant="default">rotated</Badge> : null}</Table.Td>
      <Table.Td>{formatAgo(item.created_at)}</Table.Td>
      <Table.Td>{item.expires_at === null ? "never" : <Text size="sm" c={expired ? "red" : undefined}>{formatAgo(item.expires_at)}</Text>}</Table.Td>
      <Table.Td>{item.seen_at === null ? "never" : formatAgo(item.seen_at)}</Table.Td>
      <Table.Td><Switch size="xs" aria-label={`${item.hint} is active`} checked={item.active} disabled={readOnly || patch.isPending} onChange={(event) => patch.mutate(event.currentTarget.checked)} /></Table.Td>
      <Table.Td>
        {readOnly ? null : (
          <Group gap={4} wrap="nowrap" justify="flex-end">
            {item.show_again ? <Button size="compact-xs" variant="subtle" loading={reveal.isPending} onClick={() => (reveal.data ? reveal.reset() : reveal.mutate())}>{reveal.data ? "Hide" : "Show"}</Button> : null}
            <Button size="compact-xs" variant="subtle" onClick={onRotate}>Rotate</Button>
            <Button size="compact-xs" variant="subtle" color="red" onClick={() => void ask()}>Revoke</Button>
          </Group>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Create({ client, onDone }: { client: Client; onDone: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [style, setStyle] = useState("gm");
  const [prefix, setPrefix] = useState("");
  const [expires, setExpires] = useState<number | null>(null);
  const [again, setAgain] = useState(false);
  const path = `/clients/${segment(client.id)}/keys`;
  const body = { name: name || undefined, style, prefix: style === "custom" ? prefix : undefined, expires_at: expires, show_again: again || undefined };
  const create = useMutation({ mutationFn: () => api.post<ClientKey & { key: string }>(path, body), onSuccess: () => void queries.invalidateQueries({ queryKey: ["clients"] }) });
  const errors = fieldErrors(create.error);
  if (create.data) return <Stack><NewKey value={create.data.key} /><Group justify="flex-end"><Button onClick={onDone}>Done</Button></Group></Stack>;
  return (
    <form noValidate onSubmit={(event) => { event.preventDefault(); create.mutate(); }}>
      <Stack>
        <TextInput label="Name" placeholder="production, laptop, …" value={name} error={errors.name} onChange={(event) => setName(event.currentTarget.value)} />
        <Select label="Looks like" data={STYLES} error={errors.style} value={style} allowDeselect={false} onChange={(value) => setStyle(value ?? "gm")} />
        {style === "custom" ? <TextInput label="Prefix" withAsterisk value={prefix} error={errors.prefix} onChange={(event) => setPrefix(event.currentTarget.value)} /> : null}
        <DateTimeInput label="Expires" value={expires} onChange={setExpires} error={errors.expires_at} />
        <Switch label="Can be shown again" description="Kept encrypted instead of as a digest only; such a key cannot expire" checked={again} onChange={(event) => setAgain(event.currentTarget.checked)} />
        {formError(create.error, ["name", "style", "prefix", "expires_at"]) ? <ErrorState error={create.error} /> : null}
        <Group justify="space-between">
          <ShowAsApiCall method="POST" path={path} body={body} />
          <Button type="submit" loading={create.isPending}>Make key</Button>
        </Group>
      </Stack>
    </form>
  );
}

function Rotate({ client, item, onDone }: { client: Client; item: ClientKey; onDone: () => void }) {
  const queries = useQueryClient();
  const [hours, setHours] = useState<number | string>(24);
  const path = `/clients/${segment(client.id)}/keys/${segment(item.id)}/rotate`;
  const body = { grace_seconds: Math.round(Number(hours || 0) * 3600) };
  const rotate = useMutation({ mutationFn: () => api.post<ClientKey & { key: string }>(path, body), onSuccess: () => void queries.invalidateQueries({ queryKey: ["clients"] }) });
  if (rotate.data) return <Stack><NewKey value={rotate.data.key} /><Group justify="flex-end"><Button onClick={onDone}>Done</Button></Group></Stack>;
  return (
    <form onSubmit={(event) => { event.preventDefault(); rotate.mutate(); }}>
      <Stack>
        <NumberInput label="The old key works on for" suffix=" hours" min={0} max={8760} value={hours} onChange={setHours} description="Zero ends it at once" />
        {rotate.error ? <ErrorState error={rotate.error} /> : null}
        <Group justify="space-between">
          <ShowAsApiCall method="POST" path={path} body={body} />
          <Button type="submit" loading={rotate.isPending}>Rotate</Button>
        </Group>
      </Stack>
    </form>
  );
}
