import { Button, Group, Modal, Paper, PasswordInput, Select, Stack, Table, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, segment } from "../../api/client";
import { useSession } from "../../api/session";
import type { Page, Role } from "../../api/types";
import { confirm } from "../../components/confirm";
import { fieldErrors, formError } from "../../components/fieldErrors";
import { formatAgo } from "../../components/format";
import { notifyDone, notifyFailed } from "../../components/notify";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { ErrorState, LoadingState } from "../../components/states";

interface Member {
  name: string;
  role: Role;
  created_at: number;
  last_login_at: number | null;
}

export const ROLES = [{ value: "viewer", label: "Viewer" }, { value: "admin", label: "Admin" }, { value: "owner", label: "Owner" }];

export function Members() {
  const queries = useQueryClient();
  const session = useSession();
  const [creating, { open, close }] = useDisclosure(false);
  const { data, error, refetch } = useQuery({ queryKey: ["members"], queryFn: ({ signal }) => api.get<Page<Member>>("/members", undefined, signal) });
  const refresh = () => void queries.invalidateQueries({ queryKey: ["members"] });
  const change = useMutation({ mutationFn: ({ name, role }: { name: string; role: string }) => api.patch(`/members/${segment(name)}`, { role }), onSuccess: () => { notifyDone("Role changed"); refresh(); }, onError: (failed) => notifyFailed(failed) });
  const remove = useMutation({ mutationFn: (name: string) => api.delete(`/members/${segment(name)}`), onSuccess: () => { notifyDone("Removed"); refresh(); }, onError: (failed) => notifyFailed(failed) });
  const ask = async (name: string) => {
    if (await confirm({ title: `Remove ${name}?`, body: "All sessions of this member end at once.", action: "Remove", danger: true })) remove.mutate(name);
  };
  if (error && !data) return <ErrorState error={error} retry={() => void refetch()} />;
  if (!data) return <LoadingState />;
  return (
    <Stack>
      <Group justify="flex-end"><Button size="xs" leftSection={<IconPlus size={14} aria-hidden />} onClick={open}>Add member</Button></Group>
      <Paper style={{ overflow: "hidden" }}>
        <Table.ScrollContainer minWidth={560} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
          <Table aria-label="Members">
            <Table.Thead><Table.Tr><Table.Th>Name</Table.Th><Table.Th>Role</Table.Th><Table.Th>Since</Table.Th><Table.Th>Last signed in</Table.Th><Table.Th /></Table.Tr></Table.Thead>
            <Table.Tbody>
              {data.items.map((member) => (
                <Table.Tr key={member.name}>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>{member.name}</Table.Td>
                  <Table.Td><Select size="xs" w={120} aria-label={`Role of ${member.name}`} data={ROLES} value={member.role} allowDeselect={false} disabled={member.name === session.name} onChange={(role) => role && change.mutate({ name: member.name, role })} /></Table.Td>
                  <Table.Td>{formatAgo(member.created_at)}</Table.Td>
                  <Table.Td>{member.last_login_at === null ? "never" : formatAgo(member.last_login_at)}</Table.Td>
                  <Table.Td ta="right"><Button size="compact-xs" variant="subtle" color="red" disabled={member.name === session.name} aria-label={`Remove ${member.name}`} onClick={() => void ask(member.name)}>Remove</Button></Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Paper>
      <Modal opened={creating} onClose={close} title="Add member" closeButtonProps={{ "aria-label": "Close" }}>{creating ? <Create onDone={() => { close(); refresh(); }} /> : null}</Modal>
    </Stack>
  );
}

function Create({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState("viewer");
  const create = useMutation({ mutationFn: () => api.post("/members", { name, password, role }), onSuccess: () => { notifyDone(`${name} can sign in`); onDone(); } });
  const errors = fieldErrors(create.error);
  return (
    <form noValidate onSubmit={(event) => { event.preventDefault(); create.mutate(); }}>
      <Stack>
        <TextInput label="Name" withAsterisk value={name} error={errors.name} autoComplete="off" onChange={(event) => setName(event.currentTarget.value)} />
        <PasswordInput label="Password" withAsterisk description="At least 12 characters" value={password} error={errors.password} autoComplete="new-password" onChange={(event) => setPassword(event.currentTarget.value)} />
        <Select label="Role" data={ROLES} value={role} error={errors.role} allowDeselect={false} onChange={(value) => setRole(value ?? "viewer")} />
        {formError(create.error, ["name", "password", "role"]) ? <ErrorState error={create.error} /> : null}
        <Group justify="space-between">
          <ShowAsApiCall method="POST" path="/members" body={{ name, password: "…", role }} />
          <Button type="submit" loading={create.isPending}>Add member</Button>
        </Group>
      </Stack>
    </form>
  );
}
