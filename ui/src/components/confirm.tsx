// Asks before something that cannot be taken back.
import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState, useSyncExternalStore, type ReactNode } from "react";

interface Question {
  title: string;
  body: ReactNode;
  action: string;
  /** Red, for what destroys. */
  danger?: boolean;
  /** A word that must be typed first. */
  typed?: string;
}

let open: (Question & { answer: (yes: boolean) => void }) | null = null;
const watchers = new Set<() => void>();

function set(next: typeof open): void {
  open = next;
  for (const watcher of watchers) watcher();
}

/** Resolves to whether the user agreed. */
export function confirm(question: Question): Promise<boolean> {
  return new Promise((resolve) => {
    open?.answer(false);
    set({
      ...question,
      answer: (yes) => {
        set(null);
        resolve(yes);
      },
    });
  });
}

export function ConfirmHost() {
  const question = useSyncExternalStore(
    (changed) => {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
    () => open,
  );
  return (
    <Modal opened={question !== null} onClose={() => question?.answer(false)} title={question?.title} centered closeButtonProps={{ "aria-label": "Close" }}>
      {question ? <Body key={question.title} question={question} answer={question.answer} /> : null}
    </Modal>
  );
}

function Body({ question, answer }: { question: Question; answer: (yes: boolean) => void }) {
  const [typed, setTyped] = useState("");
  const ready = question.typed === undefined || typed === question.typed;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) answer(true);
      }}
    >
      <Stack>
        <Text size="sm" component="div">
          {question.body}
        </Text>
        {question.typed === undefined ? null : (
          <TextInput label={`Type ${question.typed} to go on`} value={typed} autoComplete="off" onChange={(event) => setTyped(event.currentTarget.value)} />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={() => answer(false)}>
            Cancel
          </Button>
          <Button type="submit" color={question.danger ? "red.8" : undefined} disabled={!ready} data-autofocus>
            {question.action}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
