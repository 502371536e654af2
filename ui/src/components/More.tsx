import { Collapse, Group, Stack, Text, UnstyledButton } from "@mantine/core";
import { IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useId, useState, type ReactNode } from "react";

/** A part that is folded until it is asked for, or until something in it needs to be seen. */
export function More({ label, open = false, children }: { label: string; open?: boolean; children: ReactNode }) {
  const [wanted, setWanted] = useState(false);
  const id = useId();
  const shown = wanted || open;
  return (
    <div>
      <UnstyledButton aria-expanded={shown} aria-controls={id} onClick={() => setWanted(!shown)} py={4}>
        <Group gap={4}>
          {shown ? <IconChevronDown size={16} aria-hidden /> : <IconChevronRight size={16} aria-hidden />}
          <Text size="sm" fw={500}>
            {label}
          </Text>
        </Group>
      </UnstyledButton>
      <Collapse expanded={shown} id={id}>
        {shown ? (
          <Stack gap="md" pt="xs">
            {children}
          </Stack>
        ) : null}
      </Collapse>
    </div>
  );
}
