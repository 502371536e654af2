import { Alert, Autocomplete, Button, Group, Paper, Stack, Table, Text, Textarea } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { BASE, csrfHeaders, segment } from "../../api/client";
import { formatCount, formatMs } from "../../components/format";
import { ShowAsApiCall } from "../../components/ShowAsApiCall";
import { messageOf } from "../../components/states";
import { cosine, errorText } from "./chat";
import classes from "./playground.module.css";
import { useModels } from "./useModels";

interface Result {
  texts: string[];
  vectors: number[][];
  tokens: number | null;
  model: string | null;
  took: number;
}

const MOST_TEXTS = 8;

/** How alike texts are to a model: their vectors' dimension and the cosine of each pair. */
export function Embeddings({ client }: { client: string }) {
  const queries = useQueryClient();
  const models = useModels(client);
  const [model, setModel] = useState("");
  const [texts, setTexts] = useState(["", ""]);
  const given = texts.filter((text) => text.trim() !== "");
  const asked = model.trim() || models.find((name) => /embed/i.test(name)) || models[0] || "";
  const body = { model: asked, input: given };
  const path = `/playground/${segment(client)}/v1/embeddings`;
  const run = useMutation({
    mutationFn: () => embed(`${BASE}${path}`, body),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["limits", client] }),
  });
  return (
    <div className={classes.embeddings}>
      <Paper p="md">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (given.length > 0) run.mutate();
          }}
        >
          <Stack>
            <Autocomplete label="Model" placeholder={asked || "text-embedding-3-small"} data={models} value={model} onChange={setModel} limit={50} />
            {texts.map((text, index) => (
              <Textarea key={index} label={`Text ${index + 1}`} autosize minRows={2} maxRows={8} value={text} onChange={(event) => { const next = event.currentTarget.value; setTexts((all) => all.map((old, at) => (at === index ? next : old))); }} />
            ))}
            <Group justify="space-between">
              <Group gap="xs">
                <Button size="xs" variant="default" leftSection={<IconPlus size={14} aria-hidden />} disabled={texts.length >= MOST_TEXTS} onClick={() => setTexts((all) => [...all, ""])}>
                  Add text
                </Button>
                <ShowAsApiCall method="POST" path={path} body={body} />
              </Group>
              <Button type="submit" loading={run.isPending} disabled={given.length === 0}>
                Compare
              </Button>
            </Group>
          </Stack>
        </form>
      </Paper>
      <div aria-live="polite">
        {run.error ? <Alert color="red" variant="light" role="alert" title="No vectors came back">{messageOf(run.error)}</Alert> : null}
        {run.data ? <Similarity result={run.data} /> : null}
      </div>
    </div>
  );
}

async function embed(url: string, body: { model: string; input: string[] }): Promise<Result> {
  const started = performance.now();
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json", ...csrfHeaders() }, body: JSON.stringify(body), credentials: "same-origin" });
  const text = await response.text();
  const took = performance.now() - started;
  let parsed: unknown = null;
  try {
    parsed = JSON.parse(text);
  } catch {
    // said below
  }
  if (!response.ok) throw new Error(`${response.status}: ${errorText(parsed) ?? text.slice(0, 500)}`);
  const answer = parsed as { data?: { index?: number; embedding?: unknown }[]; usage?: { prompt_tokens?: number }; model?: string } | null;
  const vectors = [...(answer?.data ?? [])].sort((a, b) => (a.index ?? 0) - (b.index ?? 0)).map((item) => (Array.isArray(item.embedding) ? (item.embedding as number[]) : []));
  if (vectors.length === 0 || vectors.some((vector) => vector.length === 0)) throw new Error("The answer has no vectors in it");
  return { texts: body.input, vectors, tokens: answer?.usage?.prompt_tokens ?? null, model: answer?.model ?? null, took };
}

function Similarity({ result }: { result: Result }) {
  return (
    <Paper p="md">
      <Text size="sm" mb="sm">
        <b>{formatCount(result.vectors[0]?.length ?? 0)}</b> dimensions · {result.model ?? ""} · {result.tokens === null ? "" : `${formatCount(result.tokens)} tokens · `}
        {formatMs(result.took)}
      </Text>
      <Table.ScrollContainer minWidth={280} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table aria-label="Cosine similarity" withColumnBorders className={classes.matrix}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Cosine</Table.Th>
              {result.texts.map((_, index) => (
                <Table.Th key={index}>Text {index + 1}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {result.vectors.map((row, i) => (
              <Table.Tr key={i}>
                <Table.Th scope="row">
                  <Text size="xs" lineClamp={1} maw={180}>
                    {i + 1}. {result.texts[i]}
                  </Text>
                </Table.Th>
                {result.vectors.map((column, j) => {
                  const value = cosine(row, column);
                  return (
                    <Table.Td key={j} style={{ background: value === null ? undefined : `color-mix(in srgb, var(--mantine-primary-color-filled) ${Math.round(Math.max(0, value) * 45)}%, transparent)` }}>
                      {value === null ? "–" : value.toFixed(3)}
                    </Table.Td>
                  );
                })}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}
