import { Badge } from "@mantine/core";

import type { Provider } from "../api/types";

const LOOKS: Record<Provider["health"], { color: string; text: string }> = {
  ok: { color: "teal", text: "ok" },
  failing: { color: "red", text: "failing" },
  cooling_down: { color: "orange", text: "cooling down" },
  unknown: { color: "gray", text: "not used yet" },
};

export function HealthBadge({ health }: { health: Provider["health"] }) {
  return (
    <Badge size="sm" variant="light" color={LOOKS[health].color}>
      {LOOKS[health].text}
    </Badge>
  );
}
