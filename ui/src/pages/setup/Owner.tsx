import { Button, Group, Paper, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "../../api/client";
import { useSessionState } from "../../api/session";
import type { Session } from "../../api/types";
import { fieldErrors } from "../../components/fieldErrors";
import { messageOf } from "../../components/states";

/** Uses up the set-up token for the owner's name and password. */
export function Owner({ token: given, onDone }: { token: string; onDone: () => void }) {
  const { adopt } = useSessionState();
  const [token, setToken] = useState(given);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const differs = again !== "" && again !== password;
  const create = useMutation({
    mutationFn: () => api.post<Session>("/setup", { token, name, password }),
    onSuccess: (session) => {
      adopt(session);
      onDone();
    },
  });
  const errors = fieldErrors(create.error);
  return (
    <Paper p="md">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!differs) create.mutate();
        }}
      >
        <Stack maw={420}>
          <Text size="sm" c="dimmed">
            The owner may do everything, and adds others later.
          </Text>
          {given ? null : <TextInput label="Set-up token" description="Printed when the gateway started for the first time" required value={token} error={errors.token} onChange={(event) => setToken(event.currentTarget.value)} />}
          <TextInput label="Name" required autoFocus autoComplete="username" value={name} error={errors.name} onChange={(event) => setName(event.currentTarget.value)} />
          <PasswordInput label="Password" required description="At least 12 characters" autoComplete="new-password" value={password} error={errors.password} onChange={(event) => setPassword(event.currentTarget.value)} />
          <PasswordInput label="Password again" required autoComplete="new-password" value={again} error={differs ? "is not the same" : undefined} onChange={(event) => setAgain(event.currentTarget.value)} />
          {create.error && !errors.name && !errors.password ? (
            <Text c="red" size="sm" role="alert">
              {messageOf(create.error)}
            </Text>
          ) : null}
          <Group justify="flex-end">
            <Button type="submit" loading={create.isPending}>
              Continue
            </Button>
          </Group>
        </Stack>
      </form>
    </Paper>
  );
}
