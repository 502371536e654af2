import { Alert, Code, Group, Text } from "@mantine/core";
import { IconKey } from "@tabler/icons-react";

import { CopyButton } from "./CopyButton";

/** A key or token that was just made. It cannot be shown again. */
export function NewKey({ value, what = "key" }: { value: string; what?: string }) {
  return (
    <Alert color="teal" variant="light" icon={<IconKey aria-hidden />} title={`The ${what}, shown this once`} role="status">
      <Group gap="xs" wrap="nowrap">
        <Code fz="sm" style={{ overflowWrap: "anywhere" }} data-new-key>
          {value}
        </Code>
        <CopyButton value={value} label={`Copy the ${what}`} />
      </Group>
      <Text size="xs" mt={4}>
        Only a digest is stored. Copy it now; later a new one can be made.
      </Text>
    </Alert>
  );
}
