import { Spotlight, type SpotlightActionData } from "@mantine/spotlight";
import { IconBrain, IconKey, IconPlus, IconSearch, IconServer, IconUser } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState, type KeyboardEvent } from "react";
import { useNavigate, useSearchParams } from "react-router";

import { api } from "../api/client";
import { mayDo, useSession } from "../api/session";
import type { ClientRow, Page as Listed, Provider, Role } from "../api/types";
import { modelPage, type Model } from "../pages/models/model";
import { PAGES, type Page } from "./pages";
import { carried } from "./timeRange";

/** What one may want to do, wherever one is. */
const ACTIONS: { label: string; to: string; role: Role; icon: Page["icon"]; words?: string }[] = [
  { label: "New client", to: "/clients?new=1", role: "admin", icon: IconPlus, words: "add create key" },
  { label: "Add a provider", to: "/providers/new", role: "admin", icon: IconPlus, words: "new create" },
  { label: "Add a model", to: "/models/new", role: "admin", icon: IconPlus, words: "new create alias" },
  { label: "New route", to: "/resources/routes/new", role: "admin", icon: IconPlus, words: "add create" },
  { label: "Which route takes a request?", to: "/resources/match", role: "viewer", icon: IconSearch, words: "match tester" },
  { label: "Tokens for automation", to: "/members?tab=tokens", role: "owner", icon: IconKey, words: "api admin key" },
];

function useFound(wanted: string) {
  const enabled = wanted.length >= 2;
  const clients = useQuery({
    queryKey: ["clients", "search", wanted],
    queryFn: ({ signal }) => api.get<Listed<ClientRow>>("/clients", { search: wanted, limit: 6 }, signal),
    enabled,
    retry: false,
  });
  const providers = useQuery({
    queryKey: ["providers"],
    queryFn: ({ signal }) => api.get<Listed<Provider>>("/providers", { limit: 500 }, signal),
    enabled,
    retry: false,
    staleTime: 30_000,
  });
  const models = useQuery({
    queryKey: ["models", "search"],
    queryFn: ({ signal }) => api.get<Listed<Model>>("/models", { limit: 500 }, signal),
    enabled,
    retry: false,
    staleTime: 30_000,
  });
  if (!enabled) return [];
  return [
    ...(clients.data?.items ?? []).map(({ id, name }) => ({ kind: "Client", id, label: name, to: `/clients/${encodeURIComponent(id)}`, icon: IconUser })),
    ...(providers.data?.items ?? []).map(({ id, name }) => ({ kind: "Provider", id, label: name ?? id, to: `/providers/${encodeURIComponent(id)}`, icon: IconServer })),
    ...(models.data?.items ?? []).map(({ id }) => ({ kind: "Model", id, label: id, to: modelPage(id), icon: IconBrain })),
  ];
}

/** What came after the words were typed is not selected by itself: Enter takes the first. */
function takeFirst(event: KeyboardEvent): void {
  if (event.key !== "Enter" || document.querySelector("[data-action][data-selected]")) return;
  document.querySelector<HTMLElement>("[data-action]")?.click();
}

/** Search with Ctrl-K: pages, what there is to do, and clients, providers and models by name. */
export function Search() {
  const session = useSession();
  const go = useNavigate();
  const [search] = useSearchParams();
  const [query, setQuery] = useState("");
  const wanted = query.trim();
  const found = useFound(wanted);
  const action = (id: string, label: string, description: string | undefined, to: string, Icon: Page["icon"], keywords?: string): SpotlightActionData => {
    const [pathname, own] = to.split("?");
    return {
      id,
      label,
      description,
      keywords,
      leftSection: <Icon size={18} stroke={1.6} aria-hidden />,
      onClick: () => void go({ pathname, search: own ?? carried(search) }),
    };
  };
  const actions = [
    ...PAGES.filter((page) => page.group && mayDo(session, page.role)).map((page) =>
      action(page.path, page.title, page.group ?? undefined, page.path.replace(/\/\*$/, ""), page.icon, page.words),
    ),
    ...ACTIONS.filter(({ role }) => mayDo(session, role)).map(({ label, to, icon, words }) => action(to, label, "Action", to, icon, words)),
    ...found.map(({ kind, id, label, to, icon }) => action(`${kind}-${id}`, label, `${kind} ${id}`, to, icon, kind === "Client" ? wanted : undefined)),
  ];
  return (
    <Spotlight
      actions={actions}
      query={query}
      onQueryChange={setQuery}
      shortcut={["mod + K", "/"]}
      nothingFound="Nothing has that name"
      highlightQuery
      limit={12}
      searchProps={{ leftSection: <IconSearch size={18} aria-hidden />, placeholder: "Page, client, provider, model, action", "aria-label": "Page, client, provider, model or action", onKeyDown: takeFirst }}
    />
  );
}
