import { Badge, Group, Table, Text, Tooltip, UnstyledButton } from "@mantine/core";

import type { RequestRow } from "../../api/types";
import { formatClock, formatCount, formatMs, formatRate } from "../../components/format";
import { Cost } from "../../components/Cost";
import { StatusBadge } from "../../components/StatusBadge";
import classes from "./requests.module.css";

export interface RequestsTableProps {
  rows: RequestRow[];
  /** Ids of rows that just came in. */
  fresh?: ReadonlySet<string>;
  onOpen: (id: string) => void;
}

export function RequestsTable({ rows, fresh, onOpen }: RequestsTableProps) {
  return (
    <>
      <Table.ScrollContainer minWidth={1080} visibleFrom="sm" scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table className={classes.table} highlightOnHover verticalSpacing={5} horizontalSpacing={8} fz={13} aria-label="Requests">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Time</Table.Th>
              <Table.Th>Status</Table.Th>
              <Table.Th>Client</Table.Th>
              <Table.Th>Model</Table.Th>
              <Table.Th>Provider</Table.Th>
              <Table.Th className={classes.number}>Took</Table.Th>
              <Table.Th className={classes.number}><Tooltip label="Time to the first token"><span>TTFT</span></Tooltip></Table.Th>
              <Table.Th className={classes.number}>Tokens in</Table.Th>
              <Table.Th className={classes.number}>out</Table.Th>
              <Table.Th className={classes.number}>Tokens/s</Table.Th>
              <Table.Th className={classes.number}>Cost</Table.Th>
              <Table.Th className={classes.number}><Tooltip label="Targets that were tried"><span>Tries</span></Tooltip></Table.Th>
              <Table.Th>Notes</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.id} className={`${classes.row} ${fresh?.has(row.id) ? classes.fresh : ""}`} onClick={() => onOpen(row.id)}>
                <Table.Td>
                  <UnstyledButton fz={13} onClick={(event) => { event.stopPropagation(); onOpen(row.id); }} aria-label={`Open request of ${formatClock(row.started_at)}`}>
                    {formatClock(row.started_at)}
                  </UnstyledButton>
                </Table.Td>
                <Table.Td><StatusBadge status={row.status} ended={row.ended} error={row.error} /></Table.Td>
                <Table.Td className={classes.name} title={row.client_name ?? row.client ?? undefined}>{row.client_name ?? row.client ?? "–"}</Table.Td>
                <Table.Td className={classes.name} title={modelTitle(row)}>{row.model ?? row.model_asked ?? "–"}</Table.Td>
                <Table.Td className={classes.name}>{row.provider ?? "–"}</Table.Td>
                <Table.Td className={classes.number}>{formatMs(row.duration_ms)}</Table.Td>
                <Table.Td className={classes.number}>{formatMs(row.ttft_ms)}</Table.Td>
                <Table.Td className={classes.number}>{formatCount(row.input_tokens)}</Table.Td>
                <Table.Td className={classes.number}>{formatCount(row.output_tokens)}</Table.Td>
                <Table.Td className={classes.number}>{formatRate(row.tokens_per_second)}</Table.Td>
                <Table.Td className={classes.number}><Cost micro={row.cost_micro_usd} unpriced={row.unpriced} /></Table.Td>
                <Table.Td className={classes.number}>{row.tries}</Table.Td>
                <Table.Td><Notes row={row} /></Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <div className={classes.cards} data-phone>
        {rows.map((row) => (
          <UnstyledButton key={row.id} className={classes.card} hiddenFrom="sm" onClick={() => onOpen(row.id)}>
            <Group justify="space-between" wrap="nowrap" gap="xs">
              <Text size="sm" fw={500} truncate>{row.model ?? row.model_asked ?? row.path}</Text>
              <StatusBadge status={row.status} ended={row.ended} error={row.error} />
            </Group>
            <Text size="xs" c="dimmed" truncate>
              {formatClock(row.started_at)} · {row.client_name ?? row.client ?? "nobody"} · {formatMs(row.duration_ms)}
            </Text>
            <Group gap="xs">
              <Text size="xs" c="dimmed">
                {formatCount(row.input_tokens)} in, {formatCount(row.output_tokens)} out · <Cost micro={row.cost_micro_usd} unpriced={row.unpriced} />
              </Text>
              <Notes row={row} />
            </Group>
          </UnstyledButton>
        ))}
      </div>
    </>
  );
}

function modelTitle(row: RequestRow): string | undefined {
  if (row.model_asked && row.model && row.model !== row.model_asked) return `${row.model}, asked for as ${row.model_asked}`;
  return row.model ?? row.model_asked ?? undefined;
}

function Notes({ row }: { row: RequestRow }) {
  return (
    <Group gap={4} wrap="nowrap">
      {row.stream ? <Badge size="xs" variant="default">stream</Badge> : null}
      {row.tool_calls ? <Badge size="xs" variant="default">tools</Badge> : null}
      {row.cache && row.cache !== "miss" ? <Badge size="xs" variant="light" color="teal">cache {row.cache}</Badge> : null}
      {row.has_payload ? <Badge size="xs" variant="default">payload</Badge> : null}
    </Group>
  );
}
