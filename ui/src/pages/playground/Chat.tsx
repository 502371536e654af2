import { Alert, Button, Group, Stack } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { BASE, csrfHeaders, segment } from "../../api/client";
import { ChatColumn } from "./ChatColumn";
import { complete, emptyAnswer, type ContentPart } from "./chat";
import { Composer } from "./Composer";
import { requestOf, STANDARD, type Column, type Entry } from "./conversation";
import { OptionsPanel } from "./OptionsPanel";
import classes from "./playground.module.css";
import type { Replay } from "./replay";
import { useModels } from "./useModels";

const MOST_COLUMNS = 4;

/** One conversation with each of one to four models, the same questions to all. */
export function Chat({ client, replay }: { client: string; replay: Replay | null }) {
  const queries = useQueryClient();
  const models = useModels(client);
  const [options, setOptions] = useState(replay?.options ?? STANDARD);
  const [columns, setColumns] = useState<Column[]>([{ id: 0, model: replay?.model ?? "", entries: replay?.entries ?? [] }]);
  const [fault, setFault] = useState<string | null>(null);
  const calls = useRef(new Map<number, AbortController>());
  const [running, setRunning] = useState<ReadonlySet<number>>(new Set());
  const next = useRef(1);
  // Leaving the page ends the calls: nobody would read their answers.
  useEffect(() => () => calls.current.forEach((call) => call.abort()), []);

  const update = (id: number, change: (entries: Entry[]) => Entry[]) =>
    setColumns((all) => all.map((column) => (column.id === id ? { ...column, entries: change(column.entries) } : column)));

  const run = async (column: Column, added: Entry[]) => {
    const model = column.model.trim() || models[0] || "";
    const entries = [...column.entries, ...added];
    const request = requestOf({ ...column, model, entries }, options);
    if ("fault" in request) return setFault(request.fault);
    setFault(null);
    const abort = new AbortController();
    calls.current.set(column.id, abort);
    setRunning(new Set(calls.current.keys()));
    update(column.id, () => [...entries, { kind: "assistant", answer: emptyAnswer(request.body) }]);
    await complete({
      url: `${BASE}/playground/${segment(client)}/v1/chat/completions`,
      headers: csrfHeaders(),
      body: request.body,
      signal: abort.signal,
      onUpdate: (answer) => update(column.id, (old) => [...old.slice(0, -1), { kind: "assistant", answer }]),
    });
    calls.current.delete(column.id);
    setRunning(new Set(calls.current.keys()));
    void queries.invalidateQueries({ queryKey: ["limits", client] });
  };

  const send = (content: string | ContentPart[]) => {
    for (const column of columns) void run(column, [{ kind: "user", content }]);
  };
  const stop = () => calls.current.forEach((call) => call.abort());
  const busy = running.size > 0;
  const first = columns[0];
  const sample = first ? requestOf({ ...first, model: first.model || models[0] || "" }, options) : null;
  return (
    <div className={classes.chat}>
      <OptionsPanel options={options} onChange={setOptions} client={client} body={sample && "body" in sample ? sample.body : undefined} />
      <Stack gap="sm" className={classes.main}>
        <div className={classes.columns} data-count={columns.length}>
          {columns.map((column, index) => (
            <ChatColumn
              key={column.id}
              column={column}
              name={columns.length > 1 ? `Model ${index + 1}` : "Model"}
              models={models}
              busy={running.has(column.id)}
              onModel={(model) => setColumns((all) => all.map((one) => (one.id === column.id ? { ...one, model } : one)))}
              onRemove={columns.length > 1 ? () => { calls.current.get(column.id)?.abort(); setColumns((all) => all.filter((one) => one.id !== column.id)); } : undefined}
              onResults={(results) => void run(column, results)}
            />
          ))}
        </div>
        {fault ? <Alert color="red" variant="light" role="alert" p="xs">{fault}</Alert> : null}
        <Composer busy={busy} initial={replay?.prompt ?? ""} onSend={send} onStop={stop} />
        <Group gap="xs">
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlus size={14} aria-hidden />}
            disabled={columns.length >= MOST_COLUMNS || busy}
            onClick={() => setColumns((all) => [...all, { id: next.current++, model: "", entries: [] }])}
          >
            Compare with another model
          </Button>
          <Button size="xs" variant="subtle" disabled={busy || columns.every((column) => column.entries.length === 0)} onClick={() => setColumns((all) => all.map((column) => ({ ...column, entries: [] })))}>
            New conversation
          </Button>
        </Group>
      </Stack>
    </div>
  );
}
