import { Group, Text } from "@mantine/core";

export function Wordmark() {
  return (
    <Group gap={8} wrap="nowrap">
      <img src="/admin/sluice.svg" width={26} height={26} alt="" />
      <Text fw={650} size="lg" lts={-0.2}>
        Sluice
      </Text>
    </Group>
  );
}
