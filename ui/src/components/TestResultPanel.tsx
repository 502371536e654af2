import { Alert, Code, Group, Stack, Text } from "@mantine/core";
import { IconCircleCheck, IconCircleX } from "@tabler/icons-react";

import type { TestResult } from "../api/types";
import { Cost } from "./Cost";
import { formatCount, formatMs } from "./format";
import { More } from "./More";

/** What a real call to a provider or as a client gave. */
export function TestResultPanel({ result }: { result: TestResult }) {
  const Icon = result.ok ? IconCircleCheck : IconCircleX;
  return (
    <Alert variant="light" color={result.ok ? "teal" : "red"} icon={<Icon aria-hidden />} title={result.ok ? "It works" : "It does not work"} role="status">
      <Stack gap={6}>
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {result.message}
        </Text>
        <Group gap="md">
          <Text size="xs">Status {result.status ?? "none"}</Text>
          <Text size="xs">{formatMs(result.latency_ms)}</Text>
          {result.answered_model ?? result.model ? <Text size="xs">Model {result.answered_model ?? result.model}</Text> : null}
          {result.tokens ? <Text size="xs">{formatCount(result.tokens.input)} tokens in, {formatCount(result.tokens.output)} out</Text> : null}
          {result.cost_micro_usd === undefined ? null : <Text size="xs"><Cost micro={result.cost_micro_usd} unpriced={result.cost_micro_usd === null} /></Text>}
        </Group>
        {result.text ? <Code block style={{ whiteSpace: "pre-wrap" }}>{result.text}</Code> : null}
        {result.request ? (
          <More label="What was sent">
            <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
              {`${result.request.method} ${result.request.url}\n${Object.entries(result.request.headers).map(([name, value]) => `${name}: ${value}`).join("\n")}\n\n${JSON.stringify(result.request.body, null, 2)}`}
            </Code>
          </More>
        ) : null}
      </Stack>
    </Alert>
  );
}
