import { Button, Code, Group, Paper, Select, Stack, Table, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, segment } from "../../api/client";
import type { Page, Role } from "../../api/types";
import { confirm } from "../../components/confirm";
import { fieldErrors, formError } from "../../components/fieldErrors";
import { formatAgo } from "../../components/format";
import { NewKey } from "../../components/NewKey";
import { notifyDone, notifyFailed } from "../../components/notify";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { EmptyState, ErrorState, LoadingState } from "../../components/states";
import { ROLES } from "./Members";

interface Token {
  id: string;
  name: string;
  role: Role;
  hint: string;
  created_at: number;
}

/** Tokens for programs that use the JSON API or the Admin API. */
export function Tokens() {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  const { data, error, refetch } = useQuery({ queryKey: ["tokens"], queryFn: ({ signal }) => api.get<Page<Token>>("/tokens", undefined, signal) });
  const refresh = () => void queries.invalidateQueries({ queryKey: ["tokens"] });
  const create = useMutation({ mutationFn: () => api.post<Token & { token: string }>("/tokens", { name, role }), onSuccess: () => { setName(""); refresh(); } });
  const remove = useMutation({ mutationFn: (id: string) => api.delete(`/tokens/${segment(id)}`), onSuccess: () => { notifyDone("Token revoked"); refresh(); }, onError: (failed) => notifyFailed(failed) });
  const ask = async (token: Token) => {
    if (await confirm({ title: `Revoke ${token.name}?`, body: "Programs that use it are refused from now on.", action: "Revoke", danger: true })) remove.mutate(token.id);
  };
  const errors = fieldErrors(create.error);
  if (error && !data) return <ErrorState error={error} retry={() => void refetch()} />;
  if (!data) return <LoadingState />;
  return (
    <Stack>
      <Paper p="md">
        <form noValidate onSubmit={(event) => { event.preventDefault(); create.mutate(); }}>
          <Group align="flex-end" gap="sm">
            <TextInput label="Name" placeholder="What uses it" withAsterisk value={name} error={errors.name} onChange={(event) => setName(event.currentTarget.value)} />
            <Select label="Role" w={130} data={ROLES} value={role} error={errors.role} allowDeselect={false} onChange={(value) => setRole(value ?? "viewer")} />
            <Button type="submit" loading={create.isPending}>Make token</Button>
            <ShowAsApiCall method="POST" path="/tokens" body={{ name, role }} />
          </Group>
        </form>
        {formError(create.error, ["name", "role"]) ? <ErrorState error={create.error} /> : null}
        {create.data ? <Stack mt="md"><NewKey value={create.data.token} what="token" /></Stack> : null}
      </Paper>
      {data.items.length === 0 ? <EmptyState title="No tokens" /> : (
        <Paper style={{ overflow: "hidden" }}>
          <Table aria-label="Tokens">
            <Table.Thead><Table.Tr><Table.Th>Name</Table.Th><Table.Th>Role</Table.Th><Table.Th>Token</Table.Th><Table.Th>Made</Table.Th><Table.Th /></Table.Tr></Table.Thead>
            <Table.Tbody>
              {data.items.map((token) => (
                <Table.Tr key={token.id}>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>{token.name}</Table.Td><Table.Td>{token.role}</Table.Td><Table.Td><Code>{token.hint}</Code></Table.Td><Table.Td><Text size="sm">{formatAgo(token.created_at)}</Text></Table.Td>
                  <Table.Td ta="right"><Button size="compact-xs" variant="subtle" color="red" aria-label={`Revoke ${token.name}`} onClick={() => void ask(token)}>Revoke</Button></Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
    </Stack>
  );
}
