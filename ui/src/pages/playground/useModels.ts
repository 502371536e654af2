import { useQuery } from "@tanstack/react-query";

import { api, segment } from "../../api/client";
import type { ProviderModel } from "../../api/types";

/** Names of the models that the client may ask for; empty while they are not known. */
export function useModels(client: string, enabled = true): string[] {
  const { data } = useQuery({
    queryKey: ["clients", client, "models"],
    queryFn: ({ signal }) => api.get<{ items: ProviderModel[] }>(`/clients/${segment(client)}/models`, undefined, signal),
    enabled,
    staleTime: 60_000,
    retry: false,
  });
  return [...new Set((data?.items ?? []).map((model) => model.id))];
}
