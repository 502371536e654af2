import { Anchor, Group, Modal, Tabs, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { api, ApiFailure, segment } from "../../api/client";
import type { RequestDetail } from "../../api/types";
import { CodeEditor } from "../../components/code/CodeEditor";
import { Cost } from "../../components/Cost";
import { formatCount, formatMs, formatRate } from "../../components/format";
import { pretty } from "../requests/body";
import type { Answer } from "./chat";
import classes from "./playground.module.css";

/** What an answer took: time as the browser saw it, tokens as they were reported, cost as the ledger has it. */
export function AnswerFigures({ answer }: { answer: Answer }) {
  const [raw, { open, close }] = useDisclosure(false);
  const ended = answer.state === "done" || answer.state === "failed" || answer.state === "aborted";
  const booked = useBooked(ended ? answer.requestId : null);
  const tokens = answer.usage ?? (booked ? { prompt_tokens: booked.input_tokens, completion_tokens: booked.output_tokens } : null);
  const seconds = answer.totalMs !== null && answer.ttftMs !== null ? (answer.totalMs - answer.ttftMs) / 1000 : 0;
  const facts = [
    answer.ttftMs === null ? null : `first token ${formatMs(answer.ttftMs)}`,
    answer.totalMs === null ? null : formatMs(answer.totalMs),
    tokens ? `${formatCount(tokens.prompt_tokens)} in, ${formatCount(tokens.completion_tokens)} out` : null,
    tokens && seconds > 0.05 ? `${formatRate(tokens.completion_tokens / seconds)} tok/s` : null,
    answer.finish && answer.finish !== "stop" ? answer.finish.replace(/_/g, " ") : null,
    answer.model,
  ].filter(Boolean);
  return (
    <Group gap="xs" mt={4} className={classes.figures}>
      <Text size="xs" c="dimmed">
        {facts.join(" · ")}
      </Text>
      {booked ? (
        <Text size="xs" c="dimmed">
          <Cost micro={booked.cost_micro_usd} unpriced={booked.unpriced} />
        </Text>
      ) : null}
      {ended ? (
        <UnstyledButton className={classes.raw} onClick={open}>
          Raw
        </UnstyledButton>
      ) : null}
      {answer.requestId && ended ? (
        <Anchor component={Link} to={`/requests?request=${encodeURIComponent(answer.requestId)}`} fz="xs">
          Log entry
        </Anchor>
      ) : null}
      <Modal opened={raw} onClose={close} size="xl" title="Raw request and response" closeButtonProps={{ "aria-label": "Close" }}>
        {raw ? <Raw answer={answer} /> : null}
      </Modal>
    </Group>
  );
}

/** The ledger's record of a call; it is written in batches, so it may take a moment. */
function useBooked(id: string | null): RequestDetail | undefined {
  const { data } = useQuery({
    queryKey: ["requests", "one", id],
    queryFn: ({ signal }) => api.get<RequestDetail>(`/requests/${segment(id ?? "")}`, undefined, signal),
    enabled: id !== null,
    staleTime: Infinity,
    retry: (count, error) => count < 8 && error instanceof ApiFailure && error.status === 404,
    retryDelay: (count) => 250 * (count + 1),
  });
  return data;
}

function Raw({ answer }: { answer: Answer }) {
  const response = pretty(answer.raw);
  return (
    <Tabs defaultValue="request" keepMounted={false}>
      <Tabs.List mb="sm">
        <Tabs.Tab value="request">Request</Tabs.Tab>
        <Tabs.Tab value="response">Response</Tabs.Tab>
        <Tabs.Tab value="headers">Headers</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="request">
        <CodeEditor label="Request body" language="json" value={JSON.stringify(answer.request, null, 2)} readOnly height="50vh" />
      </Tabs.Panel>
      <Tabs.Panel value="response">
        <CodeEditor label="Response body" language={response.language} value={response.text} readOnly height="50vh" />
      </Tabs.Panel>
      <Tabs.Panel value="headers">
        <CodeEditor label="Response headers" language="text" value={[`status: ${answer.status ?? "none"}`, ...answer.headers.map(([name, value]) => `${name}: ${value}`)].join("\n")} readOnly height="50vh" />
      </Tabs.Panel>
    </Tabs>
  );
}
