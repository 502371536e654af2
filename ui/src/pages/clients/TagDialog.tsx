import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useState } from "react";

import { ShowAsApiCall } from "../../components/ShowAsApiCall";

interface Props {
  /** What to do with the tag; closed without. */
  action: "tag" | "untag" | null;
  ids: string[];
  onClose: () => void;
  onTag: (tag: string) => void;
}

/** Asks for the tag that the chosen clients get or lose. */
export function TagDialog({ action, ids, onClose, onTag }: Props) {
  const [tag, setTag] = useState("");
  const adds = action === "tag";
  const whom = `${ids.length} ${ids.length === 1 ? "client" : "clients"}`;
  return (
    <Modal
      opened={action !== null}
      onClose={onClose}
      title={adds ? `Tag ${whom}` : `Take a tag from ${whom}`}
      centered
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onTag(tag.trim());
          setTag("");
        }}
      >
        <Stack>
          <TextInput label="Tag" data-autofocus value={tag} autoComplete="off" onChange={(event) => setTag(event.currentTarget.value)} />
          <Group justify="flex-end">
            <ShowAsApiCall method="POST" path="/clients/bulk" body={{ ids, action, tag: tag.trim() }} />
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" disabled={tag.trim() === ""}>
              {adds ? "Tag" : "Take away"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
