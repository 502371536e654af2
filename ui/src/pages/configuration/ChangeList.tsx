import { Badge, Group, Stack, Text } from "@mantine/core";

import type { Change } from "../../api/types";
import { MemberChanges } from "../../components/diff/MemberChanges";
import { More } from "../../components/More";

const COLORS = { create: "teal", update: "blue", delete: "red" } as const;
const SHOWN = 100;

export function ChangeList({ changes }: { changes: Change[] }) {
  return (
    <Stack gap="xs">
      {changes.slice(0, SHOWN).map((change) => (
        <div key={`${change.kind}/${change.id}`}>
          <Group gap="xs">
            <Badge size="sm" variant="light" color={COLORS[change.action]}>
              {change.action}
            </Badge>
            <Text size="sm" ff="monospace" style={{ overflowWrap: "anywhere" }}>
              {change.kind}/{change.id}
            </Text>
          </Group>
          {change.action === "update" && change.diff.length > 0 ? (
            <More label={`${change.diff.length} ${change.diff.length === 1 ? "member" : "members"}`}>
              <MemberChanges changes={change.diff} />
            </More>
          ) : null}
        </div>
      ))}
      {changes.length > SHOWN ? <Text size="sm" c="dimmed">and {changes.length - SHOWN} more</Text> : null}
    </Stack>
  );
}
