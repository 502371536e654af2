import { Stack, Table, Text, Title } from "@mantine/core";

import type { RequestDetail } from "../../api/types";
import { formatMs } from "../../components/format";
import { StatusBadge } from "../../components/StatusBadge";
import classes from "./requests.module.css";

/** When what happened, and which targets were tried. */
export function Timeline({ request }: { request: RequestDetail }) {
  const steps = [...request.timeline].sort((a, b) => a.at_ms - b.at_ms);
  const whole = Math.max(request.duration_ms, steps.at(-1)?.at_ms ?? 0, 1);
  return (
    <Stack>
      {steps.length === 0 ? (
        <Text size="sm" c="dimmed">
          No steps were recorded for this request.
        </Text>
      ) : (
        <Stack gap="xs" role="list" aria-label="Steps">
          {steps.map((step, index) => {
            const before = steps[index - 1]?.at_ms ?? 0;
            return (
              <div key={index} className={classes.step} role="listitem">
                <span>{step.name.replace(/_/g, " ")}</span>
                <span className={classes.track} aria-hidden>
                  <span className={classes.span} style={{ left: `${(before / whole) * 100}%`, width: `${((step.at_ms - before) / whole) * 100}%` }} />
                </span>
                <Text size="xs" c="dimmed" ta="right">
                  {formatMs(step.at_ms)}
                </Text>
              </div>
            );
          })}
        </Stack>
      )}
      {request.attempts.length > 0 ? (
        <div>
          <Title order={3} size="sm" mb={4}>
            Tries
          </Title>
          <Table aria-label="Tries">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Address</Table.Th>
                <Table.Th>Answer</Table.Th>
                <Table.Th className={classes.number}>Took</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {request.attempts.map((attempt, index) => (
                <Table.Tr key={index}>
                  <Table.Td ff="monospace">{attempt.addr}</Table.Td>
                  <Table.Td><StatusBadge status={attempt.status} /></Table.Td>
                  <Table.Td className={classes.number}>{formatMs(attempt.time_ms)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      ) : null}
    </Stack>
  );
}
