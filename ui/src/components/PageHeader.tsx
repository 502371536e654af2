import { Group, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

export function PageHeader({ title, description, actions, back }: { title: ReactNode; description?: ReactNode; actions?: ReactNode; back?: ReactNode }) {
  return (
    <Group justify="space-between" align="flex-end" mb="lg" gap="sm">
      <div style={{ minWidth: 0, flex: "1 1 16rem" }}>
        {back}
        <Title order={1} style={{ overflowWrap: "anywhere" }}>{title}</Title>
        {description ? (
          <Text size="sm" c="dimmed" mt={2} component="div">
            {description}
          </Text>
        ) : null}
      </div>
      {actions ? <Group gap="xs">{actions}</Group> : null}
    </Group>
  );
}
