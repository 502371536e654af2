import { Text } from "@mantine/core";
import { useMemo } from "react";

import classes from "./DiffView.module.css";
import { diffLines, fold, type Line } from "./lines";

/** What changed between two texts, one under the other, unchanged stretches folded. */
export function DiffView({ before, after, label }: { before: string; after: string; label: string }) {
  const rows = useMemo(() => fold(diffLines(before, after), 3), [before, after]);
  const changed = rows.some((row) => "kind" in row && row.kind !== "same");
  if (!changed) {
    return (
      <Text size="sm" c="dimmed">
        No difference.
      </Text>
    );
  }
  return (
    <div className={classes.diff} role="region" aria-label={label} tabIndex={0}>
      <table className={classes.table}>
        <tbody>
          {rows.map((row, index) =>
            "skipped" in row ? (
              <tr key={index} className={classes.skipped}>
                <td colSpan={4}>{row.skipped} unchanged {row.skipped === 1 ? "line" : "lines"}</td>
              </tr>
            ) : (
              <DiffLine key={index} line={row} />
            ),
          )}
        </tbody>
      </table>
    </div>
  );
}

const SIGNS = { same: " ", added: "+", removed: "−" } as const;
const WORDS = { same: "", added: "added: ", removed: "removed: " } as const;

function DiffLine({ line }: { line: Line }) {
  return (
    <tr className={classes[line.kind]}>
      <td className={classes.number} aria-hidden>{line.before}</td>
      <td className={classes.number} aria-hidden>{line.after}</td>
      <td className={classes.sign} aria-hidden>{SIGNS[line.kind]}</td>
      <td className={classes.text}>
        <span className={classes.spoken}>{WORDS[line.kind]}</span>
        {line.text}
      </td>
    </tr>
  );
}
