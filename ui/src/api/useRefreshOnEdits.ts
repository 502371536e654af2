import { useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";

import type { Live } from "./types";

/** Names of queries that read configuration; figures are refreshed by their own topics. */
const CONFIGURED = ["clients", "groups", "providers", "models", "resources", "config", "limits"];

/** Takes live messages and refetches what an edit may have changed, whoever made it. */
export function useRefreshOnEdits(): (message: Live) => void {
  const queries = useQueryClient();
  return useCallback(
    (message: Live) => {
      if (message.type !== "configuration") return;
      for (const name of CONFIGURED) void queries.invalidateQueries({ queryKey: [name] });
    },
    [queries],
  );
}
