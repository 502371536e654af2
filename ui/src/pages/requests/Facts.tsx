import { Alert, Anchor, Stack, Table, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "react-router";

import type { RequestDetail } from "../../api/types";
import { Cost } from "../../components/Cost";
import { formatBytes, formatCount, formatFullTime, formatMs, formatRate } from "../../components/format";
import classes from "./requests.module.css";

export function Facts({ request: r }: { request: RequestDetail }) {
  const facts: [string, ReactNode][] = [
    ["Started", formatFullTime(r.started_at)],
    ["Took", formatMs(r.duration_ms)],
    ["Time to first token", formatMs(r.ttft_ms)],
    ["Ended", r.ended.replace(/_/g, " ")],
    ["Client", r.client ? <Anchor key="c" component={Link} to={`/clients/${encodeURIComponent(r.client)}`} fz="sm">{r.client_name ?? r.client}</Anchor> : "–"],
    ["Group", r.group ?? "–"],
    ["Key", r.credential ?? "–"],
    ["Route", r.route ?? "–"],
    ["Protocol", `${r.protocol ?? "–"}${r.stream ? ", streamed" : ""}`],
    ["Model asked for", r.model_asked ?? "–"],
    ["Model that answered", r.model ?? "–"],
    ["Provider", [r.provider, r.instance].filter(Boolean).join(" · ") || "–"],
    ["Routing", r.routing ?? "–"],
    ["Cost", <Cost key="p" micro={r.cost_micro_usd} unpriced={r.unpriced} />],
    ["Tokens per second", formatRate(r.tokens_per_second)],
    ["Cache", r.cache ?? "–"],
    ["Tools", r.tools > 0 ? `${r.tools} offered${r.tool_calls ? ", called" : ", none called"}` : "none"],
    ["Body sizes", `${formatBytes(r.request_bytes)} in, ${formatBytes(r.response_bytes)} out`],
    ["From", r.address ?? "–"],
    ["User agent", r.user_agent ?? "–"],
    ["End user", r.end_user ?? "–"],
  ];
  return (
    <Stack>
      {r.error ? (
        <Alert color="red" variant="light" title="Error">
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>{r.error}</Text>
        </Alert>
      ) : null}
      <dl className={classes.facts}>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Tokens request={r} />
      {r.guard.length > 0 ? <Guard request={r} /> : null}
    </Stack>
  );
}

function Tokens({ request }: { request: RequestDetail }) {
  const buckets = Object.entries(request.usage).filter(([, value]) => value > 0);
  if (buckets.length === 0) return null;
  return (
    <div>
      <Title order={3} size="sm" mb={4}>
        Tokens
      </Title>
      <Table withRowBorders={false} verticalSpacing={2} w="auto" aria-label="Tokens by kind">
        <Table.Tbody>
          {buckets.map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Td>{name.replace(/_/g, " ")}</Table.Td>
              <Table.Td className={classes.number}>{formatCount(value)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="xs" c="dimmed">
        Counted as {request.provenance.replace(/_/g, " ")}.
      </Text>
    </div>
  );
}

function Guard({ request }: { request: RequestDetail }) {
  return (
    <div>
      <Title order={3} size="sm" mb={4}>
        Guardrails
      </Title>
      <Table aria-label="Guardrails that matched">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Rule</Table.Th>
            <Table.Th>Did</Table.Th>
            <Table.Th>In</Table.Th>
            <Table.Th>Times</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {request.guard.map((one, index) => (
            <Table.Tr key={index}>
              <Table.Td>{one.rule}</Table.Td>
              <Table.Td>{one.action}</Table.Td>
              <Table.Td>{one.direction}</Table.Td>
              <Table.Td>{one.count}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
