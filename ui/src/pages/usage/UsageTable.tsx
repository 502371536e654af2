import { Paper, Table, Text, Tooltip, UnstyledButton } from "@mantine/core";
import { IconArrowDown } from "@tabler/icons-react";
import { useState } from "react";

import type { Totals } from "../../api/types";
import { formatCount, formatDateTime, formatMoney, formatPercent } from "../../components/format";
import type { Dimension, Usage, UsageRow } from "./model";
import classes from "./usage.module.css";

type Column = "requests" | "errors" | "input" | "cached" | "output" | "cost";

const COLUMNS: { name: Column; title: string; of: (totals: Totals) => number }[] = [
  { name: "requests", title: "Requests", of: (t) => t.requests },
  { name: "errors", title: "Errors", of: (t) => t.errors },
  { name: "input", title: "Tokens in", of: (t) => t.input_tokens },
  { name: "cached", title: "Cached in", of: (t) => t.cache_read_tokens },
  { name: "output", title: "Tokens out", of: (t) => t.output_tokens },
  { name: "cost", title: "Cost", of: (t) => t.cost_micro_usd },
];

interface Props {
  usage: Usage;
  by: Dimension;
  dimension: string;
  compare: boolean;
  onPick: (key: string) => void;
}

export function UsageTable({ usage, by, dimension, compare, onPick }: Props) {
  const [sort, setSort] = useState<Column>("cost");
  const column = COLUMNS.find((one) => one.name === sort) ?? COLUMNS[0];
  const timed = by === "none";
  const rows = [...usage.rows].sort((a, b) => (timed ? (b.at ?? 0) - (a.at ?? 0) : (column ? column.of(b.totals) - column.of(a.totals) : 0) || b.totals.requests - a.totals.requests));
  const before = new Map((usage.previous ?? []).map((row) => [row.key, row.totals]));
  return (
    <Paper style={{ overflow: "hidden" }}>
      <Table.ScrollContainer minWidth={760} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table className={classes.table} highlightOnHover aria-label={`Usage by ${dimension.toLowerCase()}`}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{dimension}</Table.Th>
              {COLUMNS.map((one) => (
                <Table.Th key={one.name} className={classes.number} aria-sort={!timed && sort === one.name ? "descending" : "none"}>
                  {timed ? (
                    one.title
                  ) : (
                    <UnstyledButton fz="sm" fw={700} onClick={() => setSort(one.name)}>
                      {one.title}
                      {sort === one.name ? <IconArrowDown size={12} aria-hidden /> : null}
                    </UnstyledButton>
                  )}
                </Table.Th>
              ))}
              {compare && !timed ? <Table.Th className={classes.number}>Cost before</Table.Th> : null}
              <Table.Th>Share of cost</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={`${row.key}-${row.at ?? ""}`}>
                <Table.Td className={classes.name}>
                  {timed ? (
                    row.at === null ? "–" : formatDateTime(row.at)
                  ) : row.key === "" ? (
                    <Text size="sm" c="dimmed" fs="italic">
                      none
                    </Text>
                  ) : (
                    <Tooltip label={`Only ${row.name}`} openDelay={400}>
                      <UnstyledButton fz="sm" className={classes.pick} onClick={() => onPick(row.key)}>
                        {row.name}
                      </UnstyledButton>
                    </Tooltip>
                  )}
                </Table.Td>
                {COLUMNS.map((one) => (
                  <Table.Td key={one.name} className={classes.number}>
                    {one.name === "cost" ? <Money totals={row.totals} /> : formatCount(one.of(row.totals))}
                  </Table.Td>
                ))}
                {compare && !timed ? <Table.Td className={classes.number}>{before.has(row.key) ? formatMoney(before.get(row.key)?.cost_micro_usd ?? 0) : "–"}</Table.Td> : null}
                <Table.Td>
                  <Share row={row} all={usage.totals.cost_micro_usd} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}

/** Money of a row, with what it leaves out. */
function Money({ totals }: { totals: Totals }) {
  if (totals.unpriced_requests > 0 && totals.cost_micro_usd === 0) {
    return (
      <Text span size="sm" c="dimmed" fs="italic">
        unpriced
      </Text>
    );
  }
  return (
    <>
      {formatMoney(totals.cost_micro_usd)}
      {totals.unpriced_requests > 0 ? (
        <Text span size="xs" c="dimmed" display="block">
          + {formatCount(totals.unpriced_requests)} unpriced
        </Text>
      ) : null}
    </>
  );
}

function Share({ row, all }: { row: UsageRow; all: number }) {
  const share = all > 0 ? (row.totals.cost_micro_usd / all) * 100 : 0;
  return (
    <div className={classes.share}>
      <span className={classes.track} aria-hidden>
        <span className={classes.fill} style={{ width: `${share}%` }} />
      </span>
      <Text size="xs" c="dimmed" w={52} ta="right">
        {formatPercent(row.totals.cost_micro_usd, all)}
      </Text>
    </div>
  );
}
