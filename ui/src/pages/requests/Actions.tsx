import { Button, Group } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { Link } from "react-router";

import { useMay } from "../../api/session";
import type { RequestDetail } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { asCurl } from "./curl";

export function Actions({ request }: { request: RequestDetail }) {
  const mayCall = useMay("admin");
  const chat = request.payload?.client_request?.encoding === "utf8" && /chat\/completions$/.test(request.path);
  const curl = asCurl(request, location.origin);
  return (
    <Group gap="xs">
      {mayCall && chat && request.client ? (
        <Button component={Link} to={{ pathname: "/playground", search: `?replay=${encodeURIComponent(request.id)}` }} size="xs" leftSection={<IconPlayerPlay size={14} aria-hidden />}>
          Replay in playground
        </Button>
      ) : null}
      <CopyButton value={curl} label="Copy as curl" text />
      <CopyButton value={location.href} label="Copy link" text />
    </Group>
  );
}
