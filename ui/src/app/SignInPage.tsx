import { Anchor, Button, Center, Group, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { api, ApiFailure } from "../api/client";
import { useSessionState } from "../api/session";
import type { Session } from "../api/types";
import { Wordmark } from "./Wordmark";

/** Name and password for members; a key for those who hold one. */
export function SignInPage() {
  const { session, adopt } = useSessionState();
  const [withKey, setWithKey] = useState(false);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [key, setKey] = useState("");
  const signIn = useMutation({
    mutationFn: () => api.post<Session>("/session", withKey ? { key } : { name, password }),
    onSuccess: adopt,
  });
  return (
    <Center mih="100vh" p="md" component="main">
      <Paper p="xl" w="100%" maw={400} radius="md">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            signIn.mutate();
          }}
        >
          <Stack>
            <Wordmark />
            <Title order={1}>Sign in</Title>
            {session.state === "setup" ? (
              <Text size="sm" c="dimmed">
                This gateway has no owner yet. Open the link that it printed when it started; it holds the set-up token.
              </Text>
            ) : null}
            {withKey ? (
              <PasswordInput label="Key" description="The key that your applications use" autoComplete="off" required value={key} onChange={(event) => setKey(event.currentTarget.value)} />
            ) : (
              <>
                <TextInput label="Name" autoComplete="username" required autoFocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
                <PasswordInput label="Password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.currentTarget.value)} />
              </>
            )}
            {signIn.error ? (
              <Text c="red" size="sm" role="alert">
                {message(signIn.error)}
              </Text>
            ) : null}
            <Button type="submit" loading={signIn.isPending}>
              Sign in
            </Button>
            <Group justify="center">
              <Anchor component="button" type="button" size="sm" onClick={() => { setWithKey(!withKey); signIn.reset(); }}>
                {withKey ? "Sign in with name and password" : "I have a key and want to see its limits"}
              </Anchor>
            </Group>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}

function message(error: unknown): string {
  if (error instanceof ApiFailure && error.status === 429) {
    return `Too many tries. ${error.retryAfter ? `Wait ${error.retryAfter} seconds.` : "Wait a little."}`;
  }
  return error instanceof Error ? error.message : String(error);
}
