import { Alert, Anchor, Code, Group, SegmentedControl, Stack, Table, Text, Title } from "@mantine/core";
import { useState } from "react";
import { Link } from "react-router";

import type { Payload, PayloadPart, RequestDetail } from "../../api/types";
import { CodeEditor } from "../../components/code/CodeEditor";
import { CopyButton } from "../../components/CopyButton";
import { formatFullTime } from "../../components/format";
import { EmptyState } from "../../components/states";
import { assembled, pretty } from "./body";
import classes from "./requests.module.css";

type PartName = "client_request" | "upstream_request" | "response";

const MISSING: Record<PartName, string> = {
  client_request: "The client's body was not kept.",
  upstream_request: "Nothing went upstream: the gateway answered by itself.",
  response: "Nothing was returned, or it was not kept.",
};

/** One of the three bodies, as text: what a caller sent is never taken for anything else. */
export function PayloadTab({ request, part }: { request: RequestDetail; part: PartName }) {
  if (!request.payload) return <NotKept request={request} />;
  const found = request.payload[part];
  if (!found) return <EmptyState title="Nothing here">{MISSING[part]}</EmptyState>;
  return (
    <Stack gap="xs">
      <Body part={found} label={part.replace(/_/g, " ")} />
      <Text size="xs" c="dimmed">
        Kept until {formatFullTime(request.payload.kept_until)}. Secrets were masked before it was stored.
      </Text>
    </Stack>
  );
}

function Body({ part, label }: { part: PayloadPart; label: string }) {
  const [view, setView] = useState("shown");
  if (part.encoding === "base64") {
    return <EmptyState title="Not text">{Math.round((part.body.length * 3) / 4)} bytes that are no text, such as audio or an image.</EmptyState>;
  }
  if (part.body === "") return <EmptyState title="An empty body" />;
  const answer = assembled(part);
  const shown = answer ? null : pretty(part.body);
  const raw = view === "raw";
  return (
    <>
      <Group justify="space-between">
        <SegmentedControl
          size="xs"
          aria-label="How to show it"
          value={view}
          onChange={setView}
          data={[{ value: "shown", label: answer ? "Assembled" : "Formatted" }, { value: "raw", label: "As it was" }]}
        />
        <CopyButton value={part.body} label="Copy" text />
      </Group>
      {part.truncated ? (
        <Alert color="orange" variant="light" p="xs">
          Cut: only the first part was kept.
        </Alert>
      ) : null}
      {answer && !raw ? (
        <Stack gap="xs">
          {answer.reasoning ? <Code block className={classes.headers} style={{ whiteSpace: "pre-wrap" }}>{answer.reasoning}</Code> : null}
          <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
            {answer.text || "(no text)"}
          </Code>
          {answer.toolCalls.map((call) => (
            <Code block key={call.id} style={{ whiteSpace: "pre-wrap" }}>{`${call.function.name}(${call.function.arguments})`}</Code>
          ))}
        </Stack>
      ) : (
        <CodeEditor label={label} language={raw ? "text" : (shown?.language ?? "text")} value={raw ? part.body : (shown?.text ?? part.body)} readOnly height="26rem" />
      )}
    </>
  );
}

function NotKept({ request }: { request: RequestDetail }) {
  return (
    <EmptyState title="Payloads are not kept for this request">
      Bodies are stored only for clients that have “Log payloads” switched on, and only for as long as the retention lasts.
      {request.client ? (
        <>
          {" "}
          <Anchor component={Link} to={`/clients/${encodeURIComponent(request.client)}`} fz="sm" underline="always">
            Open the client’s settings
          </Anchor>{" "}
          to switch it on for what comes next.
        </>
      ) : null}
    </EmptyState>
  );
}

export function HeadersTab({ request }: { request: RequestDetail }) {
  const payload = request.payload;
  if (!payload) return <NotKept request={request} />;
  return (
    <Stack>
      <Headers title="From the client" payload={payload} part="client_request" />
      <Headers title="To the provider" payload={payload} part="upstream_request" />
      <Headers title="Returned" payload={payload} part="response" />
    </Stack>
  );
}

function Headers({ title, payload, part }: { title: string; payload: Payload; part: PartName }) {
  const headers = payload[part]?.headers ?? [];
  if (headers.length === 0) return null;
  return (
    <div>
      <Title order={3} size="sm" mb={4}>
        {title}
      </Title>
      <Table className={classes.headers} aria-label={`Headers ${title.toLowerCase()}`} verticalSpacing={2}>
        <Table.Tbody>
          {headers.map(([name, value], index) => (
            <Table.Tr key={index}>
              <Table.Td w="12rem">{name}</Table.Td>
              <Table.Td>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
