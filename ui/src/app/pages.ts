// The pages: where they are, who may see them, and what loads them. The menu and the search are made from this table.
import {
  IconBolt, IconBrain, IconChartBar, IconGauge, IconHistory, IconHome, IconKey, IconListDetails, IconMessageChatbot,
  IconPlugConnected, IconRoute, IconServer, IconSettings, IconUserShield, IconUsers,
} from "@tabler/icons-react";
import { lazy, type ComponentType } from "react";

import type { Role } from "../api/types";

export interface Page {
  /** Below `/admin`; `/*` at the end where the page has addresses of its own. */
  path: string;
  title: string;
  /** Words that find it in the search. */
  words?: string;
  group: "Start" | "Access" | "Models and traffic" | "Observe" | "AI features" | "System" | null;
  /** The least role that may see it. */
  role: Role;
  icon: ComponentType<{ size?: number | string; stroke?: number | string }>;
  component: ComponentType;
}

type Loaded = { default: ComponentType };

function page(group: Page["group"], path: string, title: string, role: Role, icon: Page["icon"], load: () => Promise<Loaded>, words?: string): Page {
  return { group, path, title, role, icon, words, component: lazy(load) };
}

export const PAGES: Page[] = [
  page("Start", "/", "Overview", "viewer", IconHome, () => import("../pages/overview/OverviewPage"), "dashboard home tiles"),
  page("Start", "/connect", "Connect", "viewer", IconPlugConnected, () => import("../pages/connect/ConnectPage"), "tools sdk curl configuration files"),
  page("Access", "/clients/*", "Clients", "viewer", IconUsers, () => import("../pages/clients/ClientsPages"), "consumers keys virtual keys"),
  page("Access", "/limits", "Limits and budgets", "viewer", IconGauge, () => import("../pages/limits/LimitsPage"), "quota rate tokens money"),
  page("Access", "/members", "Members and roles", "owner", IconUserShield, () => import("../pages/members/MembersPage"), "users tokens sessions password"),
  page("Models and traffic", "/providers/*", "Providers", "viewer", IconServer, () => import("../pages/providers/ProvidersPages"), "openai anthropic upstream"),
  page("Models and traffic", "/models/*", "Models", "viewer", IconBrain, () => import("../pages/models/ModelsPages"), "prices alias fallback registry"),
  page("Models and traffic", "/resources/*", "Routes and plugins", "viewer", IconRoute, () => import("../pages/resources/ResourcesPages"), "services upstreams consumers ssl secrets match tester"),
  page("Observe", "/requests", "Requests", "viewer", IconListDetails, () => import("../pages/requests/RequestsPage"), "log live payload"),
  page("Observe", "/usage", "Usage and cost", "viewer", IconChartBar, () => import("../pages/usage/UsagePage"), "money tokens report csv"),
  page("Observe", "/audit", "Audit", "admin", IconHistory, () => import("../pages/audit/AuditPage"), "who changed what"),
  page("AI features", "/playground", "Playground", "admin", IconMessageChatbot, () => import("../pages/playground/PlaygroundPage"), "chat embeddings try"),
  page("AI features", "/cache", "Cache", "viewer", IconBolt, () => import("../pages/cache/CachePage"), "hit rate saved flush"),
  page("System", "/settings", "Settings", "viewer", IconSettings, () => import("../pages/settings/SettingsPage"), "listeners storage retention backup licences"),
  page(null, "/me", "My key", "holder", IconKey, () => import("../pages/me/MyKeyPage"), "quota remaining rotate"),
];
