import { Spotlight, type SpotlightActionData } from "@mantine/spotlight";
import { IconSearch, IconUser } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useSearchParams } from "react-router";

import { api } from "../api/client";
import { mayDo, useSession } from "../api/session";
import type { ClientRow, Page as Listed } from "../api/types";
import { PAGES } from "./pages";
import { carried } from "./timeRange";

/** Search with Ctrl-K: pages, and clients by name. */
export function Search() {
  const session = useSession();
  const go = useNavigate();
  const [search] = useSearchParams();
  const [query, setQuery] = useState("");
  const wanted = query.trim();
  const clients = useQuery({
    queryKey: ["clients", "search", wanted],
    queryFn: ({ signal }) => api.get<Listed<ClientRow>>("/clients", { search: wanted, limit: 6 }, signal),
    enabled: wanted.length >= 2,
    retry: false,
  });
  const pages: SpotlightActionData[] = PAGES.filter((page) => page.group && mayDo(session, page.role)).map((page) => {
    const Icon = page.icon;
    return {
      id: page.path,
      label: page.title,
      description: page.group ?? undefined,
      keywords: page.words,
      leftSection: <Icon size={18} stroke={1.6} aria-hidden />,
      onClick: () => void go({ pathname: page.path.replace(/\/\*$/, ""), search: carried(search) }),
    };
  });
  const found: SpotlightActionData[] = (clients.data?.items ?? []).map((client) => ({
    id: `client-${client.id}`,
    label: client.name,
    description: `Client ${client.id}`,
    keywords: wanted,
    leftSection: <IconUser size={18} stroke={1.6} aria-hidden />,
    onClick: () => void go({ pathname: `/clients/${encodeURIComponent(client.id)}`, search: carried(search) }),
  }));
  return (
    <Spotlight
      actions={[...pages, ...found]}
      query={query}
      onQueryChange={setQuery}
      shortcut={["mod + K", "/"]}
      nothingFound="Nothing has that name"
      highlightQuery
      limit={12}
      searchProps={{ leftSection: <IconSearch size={18} aria-hidden />, placeholder: "Page or client", "aria-label": "Page or client" }}
    />
  );
}
