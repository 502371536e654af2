import { Alert, Button, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { api, ApiFailure } from "../../api/client";
import type { Change, ConfigCheck, RawConfig } from "../../api/types";
import { CodeEditor, type Mark } from "../../components/code/CodeEditor";
import { confirm } from "../../components/confirm";
import { DiffView } from "../../components/diff/DiffView";
import { notifyDone } from "../../components/notify";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { messageOf } from "../../components/states";
import { ChangeList } from "./ChangeList";
import { Problems } from "./Problems";

/** The document being edited, held against the one that is stored. */
export function Draft({ stored }: { stored: RawConfig }) {
  const queries = useQueryClient();
  const [base, setBase] = useState(stored);
  const [text, setText] = useState(stored.yaml);
  const [view, setView] = useState("text");
  const [checked, setChecked] = useState<{ text: string; result: ConfigCheck } | null>(null);
  const changed = text !== base.yaml;
  if (stored.revision !== base.revision && !changed) {
    setBase(stored);
    setText(stored.yaml);
  }
  const overtaken = stored.revision !== base.revision;
  const validate = useMutation({
    mutationFn: (yaml: string) => api.post<ConfigCheck>("/config/validate", { yaml }),
    onSuccess: (result, yaml) => setChecked({ text: yaml, result }),
  });
  const apply = useMutation({
    mutationFn: () => api.post<{ revision: number; changes: Change[] }>("/config/apply", { yaml: text, revision: base.revision }),
    onSuccess: ({ revision, changes }) => {
      notifyDone(`Revision ${revision} is in force: ${changes.length} ${changes.length === 1 ? "change" : "changes"}`);
      setBase({ yaml: text, revision });
      setChecked(null);
      queries.setQueryData(["config"], { yaml: text, revision });
      void queries.invalidateQueries();
    },
    onError: (error) => {
      if (error instanceof ApiFailure && error.status === 409) void queries.invalidateQueries({ queryKey: ["config"] });
    },
  });
  const result = checked?.text === text ? checked.result : null;
  const marks = useMemo(() => marksOf(result), [result]);
  const start = async () => {
    const found = result ?? (await validate.mutateAsync(text).catch(() => null));
    if (!found?.ok) return;
    const yes = await confirm({
      title: "Apply these changes?",
      body: <ChangeList changes={found.changes} />,
      action: "Apply",
      danger: found.changes.some((change) => change.action === "delete"),
    });
    if (yes) apply.mutate();
  };
  return (
    <Stack>
      {overtaken ? (
        <Alert color="orange" variant="light" title="Somebody else changed the configuration">
          <Stack gap="xs" align="flex-start">
            <Text size="sm">
              You started from revision {base.revision}; now it is {stored.revision}. To apply yours, look at the difference and take over what changed there.
            </Text>
            <Group gap="xs">
              <Button size="xs" variant="default" onClick={() => setBase(stored)}>
                Compare mine with revision {stored.revision}
              </Button>
              <Button
                size="xs"
                variant="default"
                onClick={() => {
                  setBase(stored);
                  setText(stored.yaml);
                }}
              >
                Drop mine and load theirs
              </Button>
            </Group>
          </Stack>
        </Alert>
      ) : null}
      <Group justify="space-between" gap="xs">
        <SegmentedControl
          size="xs"
          aria-label="View"
          value={view}
          onChange={setView}
          data={[{ value: "text", label: "Text" }, { value: "diff", label: changed ? "Difference •" : "Difference" }]}
        />
        <Group gap="xs">
          <ShowAsApiCall method="POST" path="/config/apply" body={{ yaml: text, revision: base.revision }} />
          <Button size="xs" variant="default" disabled={!changed} onClick={() => setText(base.yaml)}>
            Reset
          </Button>
          <Button size="xs" variant="default" loading={validate.isPending} onClick={() => validate.mutate(text)}>
            Validate
          </Button>
          <Button size="xs" disabled={!changed || overtaken} loading={apply.isPending} onClick={() => void start()}>
            Apply
          </Button>
        </Group>
      </Group>
      {view === "text" ? (
        <CodeEditor label="Configuration as YAML" language="yaml" value={text} onChange={setText} marks={marks} height="min(60vh, 40rem)" />
      ) : (
        <DiffView before={base.yaml} after={text} label="Difference to what is in force" />
      )}
      {validate.error ? <Alert color="red" variant="light" role="alert">{messageOf(validate.error)}</Alert> : null}
      {apply.error ? <Alert color="red" variant="light" role="alert" title="Not applied">{messageOf(apply.error)}</Alert> : null}
      {result ? <Problems result={result} /> : null}
    </Stack>
  );
}

function marksOf(result: ConfigCheck | null): Mark[] {
  return (result?.errors ?? []).flatMap((error) => (error.line === undefined ? [] : [{ line: error.line, message: `${error.path}: ${error.message}` }]));
}
