// The live rows of the request log: the newest first, at most as many as a page shows.
import { useCallback, useState } from "react";

import type { Live, RequestRow } from "../../api/types";
import { useLive } from "../../api/live";
import { passes, type Filters } from "./filters";

const KEPT = 200;

export interface Feed {
  rows: RequestRow[];
  /** Requests that the server left out of the feed since it was started. */
  skipped: number;
  connected: boolean;
  clear: () => void;
}

export function useFeed(filters: Filters, following: boolean): Feed {
  const [rows, setRows] = useState<RequestRow[]>([]);
  const [skipped, setSkipped] = useState(0);
  const take = useCallback(
    (message: Live) => {
      if (message.type !== "requests" || !following) return;
      const fresh = message.items.filter((row) => passes(row, filters));
      if (fresh.length > 0) {
        setRows((old) => {
          const known = new Set(fresh.map((row) => row.id));
          return [...fresh, ...old.filter((row) => !known.has(row.id))].sort((a, b) => b.started_at - a.started_at).slice(0, KEPT);
        });
      }
      if (message.skipped > 0) setSkipped((old) => old + message.skipped);
    },
    [filters, following],
  );
  const { connected } = useLive(["requests"], take, following);
  const clear = useCallback(() => {
    setRows([]);
    setSkipped(0);
  }, []);
  return { rows, skipped, connected, clear };
}
