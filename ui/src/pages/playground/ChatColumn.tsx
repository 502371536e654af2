import { ActionIcon, Autocomplete, Button, Code, Group, Loader, Paper, Stack, Text, Textarea } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";

import { AnswerFigures } from "./AnswerFigures";
import type { Answer, ToolCall } from "./chat";
import { imagesOf, openCalls, textOf, type Column, type Entry } from "./conversation";
import classes from "./playground.module.css";

interface Props {
  column: Column;
  name: string;
  models: string[];
  busy: boolean;
  onModel: (model: string) => void;
  onRemove?: () => void;
  onResults: (results: Entry[]) => void;
}

/** One model's side of the conversation. */
export function ChatColumn({ column, name, models, busy, onModel, onRemove, onResults }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const calls = openCalls(column.entries);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    // Follows the answer unless somebody has scrolled up to read.
    const near = element.scrollHeight - element.scrollTop - element.clientHeight < 160;
    if (near) element.scrollTop = element.scrollHeight;
  }, [column.entries]);
  return (
    <Paper className={classes.column}>
      <Group gap="xs" p="xs" wrap="nowrap" className={classes.columnHead}>
        <Autocomplete flex={1} size="xs" aria-label={name} placeholder={models[0] ? `${models[0]} (default)` : "Model"} data={models} value={column.model} onChange={onModel} limit={50} comboboxProps={{ width: "max-content" }} />
        {onRemove ? (
          <ActionIcon variant="subtle" color="gray" aria-label={`Remove ${name}`} onClick={onRemove}>
            <IconX size={16} aria-hidden />
          </ActionIcon>
        ) : null}
      </Group>
      <div ref={scroller} className={classes.messages} role="log" aria-label={`Conversation with ${column.model || models[0] || name}`} tabIndex={0}>
        {column.entries.length === 0 ? (
          <Text size="sm" c="dimmed" ta="center" py="xl">
            Nothing said yet.
          </Text>
        ) : null}
        {column.entries.map((entry, index) => (
          <EntryView key={index} entry={entry} />
        ))}
        {calls.length > 0 && !busy ? <ToolResults key={column.entries.length} calls={calls} onSend={onResults} /> : null}
      </div>
    </Paper>
  );
}

function EntryView({ entry }: { entry: Entry }) {
  switch (entry.kind) {
    case "user":
      return (
        <div className={classes.user}>
          {imagesOf(entry.content).map((url, index) => (
            <img key={index} src={url} alt={`Attached ${index + 1}`} className={classes.image} />
          ))}
          <span className={classes.text}>{textOf(entry.content)}</span>
        </div>
      );
    case "tool":
      return (
        <div className={classes.tool}>
          <Text size="xs" c="dimmed">
            Result of {entry.call.function.name || entry.call.id}
          </Text>
          <span className={classes.text}>{entry.result}</span>
        </div>
      );
    case "assistant":
      return <AnswerView answer={entry.answer} />;
  }
}

function AnswerView({ answer }: { answer: Answer }) {
  return (
    <div className={classes.answer} data-state={answer.state}>
      {answer.state === "waiting" ? <Loader size="xs" type="dots" role="status" aria-label="Waiting for the answer" /> : null}
      {answer.reasoning ? (
        <details className={classes.reasoning} open={answer.text === ""}>
          <summary>Reasoning</summary>
          <span className={classes.text}>{answer.reasoning}</span>
        </details>
      ) : null}
      {answer.text ? <span className={classes.text}>{answer.text}</span> : null}
      {answer.toolCalls.map((call, index) => (
        <div key={index} className={classes.tool}>
          <Text size="xs" c="dimmed">
            Calls {call.function.name}
          </Text>
          <Code block className={classes.text}>
            {call.function.arguments}
          </Code>
        </div>
      ))}
      {answer.error ? (
        <Text size="sm" c="red" role="alert" className={classes.text}>
          {answer.status && answer.status >= 400 ? `${answer.status}: ` : ""}
          {answer.error}
        </Text>
      ) : null}
      {answer.state === "aborted" ? <Text size="xs" c="dimmed">Stopped.</Text> : null}
      {answer.state === "waiting" ? null : <AnswerFigures answer={answer} />}
    </div>
  );
}

/** Where the one at the keyboard plays the tool. */
function ToolResults({ calls, onSend }: { calls: ToolCall[]; onSend: (results: Entry[]) => void }) {
  const [results, setResults] = useState<string[]>(calls.map(() => ""));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onSend(calls.map((call, index) => ({ kind: "tool", call, result: results[index] ?? "" })));
      }}
    >
      <Stack gap="xs" className={classes.results}>
        {calls.map((call, index) => (
          <Textarea
            key={index}
            label={`Result of ${call.function.name}`}
            size="xs"
            autosize
            minRows={1}
            maxRows={8}
            placeholder='{"temperature": 21}'
            value={results[index] ?? ""}
            onChange={(event) => {
              const text = event.currentTarget.value;
              setResults((all) => all.map((old, at) => (at === index ? text : old)));
            }}
          />
        ))}
        <Group justify="flex-end">
          <Button type="submit" size="xs">
            Send results
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
