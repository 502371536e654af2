import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { api, segment } from "../../api/client";
import type { LimitStanding } from "../../api/types";
import { LimitBar } from "../../components/LimitBar";
import classes from "./playground.module.css";

/** How far the client has used up its limits. */
export function Standing({ client }: { client: string }) {
  const { data, error } = useQuery({
    queryKey: ["limits", client],
    queryFn: ({ signal }) => api.get<{ items: LimitStanding[] }>(`/clients/${segment(client)}/limits`, undefined, signal),
    refetchInterval: 5000,
  });
  if (error) return null;
  const items = data?.items ?? [];
  if (data && items.length === 0) {
    return (
      <Text size="xs" c="dimmed" mb={8}>
        This client has no limits.
      </Text>
    );
  }
  return (
    <div className={classes.standing} role="group" aria-label="Limits of the client">
      {items.slice(0, 6).map((standing) => (
        <LimitBar key={`${standing.scope}-${standing.name}-${standing.model ?? ""}`} standing={standing} compact />
      ))}
    </div>
  );
}
