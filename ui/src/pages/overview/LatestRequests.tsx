import { Anchor, Button, Group, Paper, Text } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate } from "react-router";

import { api } from "../../api/client";
import type { Page, RequestRow } from "../../api/types";
import { RequestsTable } from "../requests/RequestsTable";
import { useFeed } from "../requests/useFeed";

const NO_FILTERS = {};
const SHOWN = 12;

/** The newest requests as they come; pausing makes the list stand still. */
export function LatestRequests() {
  const go = useNavigate();
  const [following, setFollowing] = useState(true);
  const feed = useFeed(NO_FILTERS, following);
  const { data } = useQuery({ queryKey: ["requests", "latest"], queryFn: ({ signal }) => api.get<Page<RequestRow>>("/requests", { limit: SHOWN }, signal) });
  const known = new Set(feed.rows.map((row) => row.id));
  const rows = [...feed.rows, ...(data?.items ?? []).filter((row) => !known.has(row.id))].slice(0, SHOWN);
  if (rows.length === 0) return null;
  return (
    <Paper style={{ overflow: "hidden" }}>
      <Group justify="space-between" p="md" pb="xs">
        <Text fw={600} size="sm" component="h2" m={0}>Latest requests</Text>
        <Group gap="sm">
          <Button size="compact-xs" variant="subtle" leftSection={following ? <IconPlayerPause size={12} aria-hidden /> : <IconPlayerPlay size={12} aria-hidden />} onClick={() => setFollowing(!following)}>
            {following ? "Pause" : "Follow"}
          </Button>
          <Anchor component={Link} to="/requests" fz="sm">All requests</Anchor>
        </Group>
      </Group>
      <RequestsTable rows={rows} fresh={known} onOpen={(id) => void go(`/requests?request=${encodeURIComponent(id)}`)} />
    </Paper>
  );
}
