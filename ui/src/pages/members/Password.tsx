import { Button, Group, Paper, PasswordInput, Stack } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "../../api/client";
import { fieldErrors, formError } from "../../components/fieldErrors";
import { notifyDone } from "../../components/notify";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { ErrorState } from "../../components/states";

export function Password({ onDone }: { onDone?: () => void }) {
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const change = useMutation({
    mutationFn: () => api.post("/session/password", { current, password }),
    onSuccess: () => { notifyDone("Password changed"); setCurrent(""); setPassword(""); setAgain(""); onDone?.(); },
  });
  const errors = fieldErrors(change.error);
  const differs = again !== "" && again !== password;
  return (
    <Paper p={onDone ? 0 : "md"} maw={420} withBorder={!onDone}>
      <form onSubmit={(event) => { event.preventDefault(); if (!differs) change.mutate(); }}>
        <Stack>
          <PasswordInput label="Password now" required autoComplete="current-password" value={current} error={errors.current} onChange={(event) => setCurrent(event.currentTarget.value)} />
          <PasswordInput label="New password" required description="At least 12 characters" autoComplete="new-password" value={password} error={errors.password} onChange={(event) => setPassword(event.currentTarget.value)} />
          <PasswordInput label="New password again" required autoComplete="new-password" value={again} error={differs ? "is not the same" : undefined} onChange={(event) => setAgain(event.currentTarget.value)} />
          {formError(change.error, ["current", "password"]) ? <ErrorState error={change.error} /> : null}
          <Group justify="space-between"><ShowAsApiCall method="POST" path="/session/password" body={{ current: "…", password: "…" }} /><Button type="submit" loading={change.isPending} disabled={differs}>Change password</Button></Group>
        </Stack>
      </form>
    </Paper>
  );
}
