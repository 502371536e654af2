import { Button, Group, Modal, Stack, Text } from "@mantine/core";

import type { ResourceItem } from "../../api/types";
import { DiffView } from "../../components/diff/DiffView";
import type { JsonObject } from "../../components/schema-form";

interface Props {
  /** What is stored now, written by somebody else since this form was opened. */
  theirs: ResourceItem | null;
  mine: JsonObject;
  onClose: () => void;
  onTake: (item: ResourceItem) => void;
  onOverwrite: (item: ResourceItem) => void;
}

/** Two people changed the same thing: shows the difference and lets the second one choose. */
export function Conflict({ theirs, mine, onClose, onTake, onOverwrite }: Props) {
  return (
    <Modal opened={theirs !== null} onClose={onClose} size="xl" title="Somebody else changed this meanwhile" closeButtonProps={{ "aria-label": "Close" }}>
      {theirs ? (
        <Stack>
          <Text size="sm">Nothing was stored. From what is in force now to yours:</Text>
          <DiffView before={JSON.stringify(theirs.value, null, 2)} after={JSON.stringify(mine, null, 2)} label="From what is stored to yours" />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Go on editing mine
            </Button>
            <Button variant="default" onClick={() => onTake(theirs)}>
              Drop mine, take theirs
            </Button>
            <Button color="red.8" onClick={() => onOverwrite(theirs)}>
              Overwrite with mine
            </Button>
          </Group>
        </Stack>
      ) : null}
    </Modal>
  );
}
