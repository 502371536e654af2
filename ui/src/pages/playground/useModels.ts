import { useQuery } from "@tanstack/react-query";

import { api, segment } from "../../api/client";
import type { Client, ProviderModel } from "../../api/types";

/** Names of the models that the client may ask for, its default first; empty while they are not known. */
export function useModels(client: string, enabled = true): string[] {
  const { data } = useQuery({
    queryKey: ["clients", client, "models"],
    queryFn: ({ signal }) => api.get<{ items: ProviderModel[] }>(`/clients/${segment(client)}/models`, undefined, signal),
    enabled,
    staleTime: 60_000,
    retry: false,
  });
  const own = useQuery({
    queryKey: ["clients", client],
    queryFn: ({ signal }) => api.get<Client>(`/clients/${segment(client)}`, undefined, signal),
    enabled,
    staleTime: 60_000,
    retry: false,
    select: (found) => found.default_model ?? null,
  });
  return [...new Set([...(own.data ? [own.data] : []), ...(data?.items ?? []).map((model) => model.id)])];
}
