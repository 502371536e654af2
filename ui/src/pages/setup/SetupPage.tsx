import { Anchor, Button, Container, Group, Paper, Stack, Stepper, Text, Title } from "@mantine/core";
import { useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";

import { useSession } from "../../api/session";
import type { Client } from "../../api/types";
import { Wordmark } from "../../app/Wordmark";
import { ProviderForm } from "../providers/ProviderForm";
import { FirstCall } from "./FirstCall";
import { FirstClient } from "./FirstClient";
import { Owner } from "./Owner";

/** The way from a fresh gateway to a call that answers: an owner, a provider, a client, a call. */
export default function SetupPage() {
  const session = useSession();
  const go = useNavigate();
  const [search] = useSearchParams();
  const signedIn = session.state === "signed_in";
  const [step, setStep] = useState(signedIn ? 1 : 0);
  const [made, setMade] = useState<{ client: Client; key: string } | null>(null);
  const [works, setWorks] = useState(false);
  const at = signedIn ? Math.max(step, 1) : 0;
  return (
    <Container size="md" py="xl" component="main">
      <Stack>
        <Wordmark />
        <Title order={1}>Set up this gateway</Title>
        <Stepper active={at} size="sm" allowNextStepsSelect={false} wrap={false}>
          <Stepper.Step label="Owner" />
          <Stepper.Step label="Provider" />
          <Stepper.Step label="Client" />
          <Stepper.Step label="First call" />
        </Stepper>
        {at === 0 ? <Owner token={search.get("token") ?? ""} onDone={() => setStep(1)} /> : null}
        {at === 1 ? (
          <Stack>
            <Text size="sm" c="dimmed">
              Where answers come from. Once it is added, “Test” makes a real call.
            </Text>
            <ProviderForm stored={null} readOnly={false} onCreated={() => setStep(2)} />
            <Anchor component="button" type="button" size="sm" onClick={() => setStep(2)}>
              Skip: there is a provider already, or clients bring their own
            </Anchor>
          </Stack>
        ) : null}
        {at === 2 ? (
          <FirstClient
            onDone={(client, key) => {
              setMade({ client, key });
              setStep(3);
            }}
          />
        ) : null}
        {at === 3 && made ? (
          <Paper p="md">
            <FirstCall client={made.client} apiKey={made.key} onWorks={() => setWorks(true)} />
            <Group justify="space-between" mt="md">
              <Anchor component={Link} to="/" size="sm">
                Leave without a call
              </Anchor>
              <Button disabled={!works} onClick={() => void go("/")}>
                Finish
              </Button>
            </Group>
          </Paper>
        ) : null}
      </Stack>
    </Container>
  );
}
