import { Code, Stack, Text } from "@mantine/core";

import classes from "./MemberChanges.module.css";

export interface MemberChange {
  path: string;
  from?: unknown;
  to?: unknown;
}

/** What changed in an object, member by member: before and after beside each other. */
export function MemberChanges({ changes }: { changes: MemberChange[] }) {
  if (changes.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        Nothing in it changed.
      </Text>
    );
  }
  return (
    <Stack gap="xs">
      {changes.map((change, index) => (
        <div key={index} className={classes.change}>
          <Text size="xs" fw={600} ff="monospace" className={classes.path}>
            {change.path === "" ? "(whole)" : change.path}
          </Text>
          <div className={classes.sides}>
            <Side word="Before" kind="removed" value={change.from} />
            <Side word="After" kind="added" value={change.to} />
          </div>
        </div>
      ))}
    </Stack>
  );
}

function Side({ word, kind, value }: { word: string; kind: "added" | "removed"; value: unknown }) {
  const absent = value === undefined;
  return (
    <div className={classes.side}>
      <Text size="xs" c="dimmed">
        {word}
      </Text>
      {absent ? (
        <Text size="xs" c="dimmed" fs="italic">
          not there
        </Text>
      ) : (
        <Code block className={classes[kind]} tabIndex={0}>
          {typeof value === "string" ? value : JSON.stringify(value, null, 2)}
        </Code>
      )}
    </div>
  );
}
