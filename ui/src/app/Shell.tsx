import { ActionIcon, AppShell, Badge, Burger, Group, Kbd, Menu, ScrollArea, Text, Tooltip, UnstyledButton, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { spotlight } from "@mantine/spotlight";
import { IconLogout, IconMoon, IconSearch, IconSun, IconUserCircle } from "@tabler/icons-react";
import { useEffect, type ReactNode } from "react";
import { Link, useLocation, useSearchParams } from "react-router";

import { useLive, useLiveConnected } from "../api/live";
import { mayDo, useSession, useSessionState } from "../api/session";
import { useRefreshOnEdits } from "../api/useRefreshOnEdits";
import { PAGES, type Page } from "./pages";
import { Search } from "./Search";
import classes from "./Shell.module.css";
import { carried } from "./timeRange";
import { TimeRangePicker } from "./TimeRangePicker";
import { Wordmark } from "./Wordmark";

export function Shell({ children }: { children: ReactNode }) {
  const [open, { toggle, close }] = useDisclosure(false);
  const { pathname } = useLocation();
  const session = useSession();
  useEffect(close, [pathname, close]);
  useEffect(() => {
    const page = current(pathname);
    document.title = page ? `${page.title} · Sluice` : "Sluice";
  }, [pathname]);
  const holder = session.role === "holder";
  return (
    <AppShell header={{ height: 56 }} navbar={{ width: 232, breakpoint: "md", collapsed: { mobile: !open } }} padding={{ base: "sm", sm: "lg" }}>
      <a href="#page" className={classes.skip}>
        Skip to the page
      </a>
      <AppShell.Header className={classes.header}>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="sm">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={open} onClick={toggle} hiddenFrom="md" size="sm" aria-label={open ? "Close the menu" : "Open the menu"} />
            <Link to={{ pathname: "/", search: "" }} className={classes.home} aria-label="Sluice, overview">
              <Wordmark />
            </Link>
          </Group>
          <Group gap="xs" wrap="nowrap">
            {holder ? null : <SearchButton />}
            {holder ? null : <TimeRangePicker />}
            {holder ? null : <LiveDot />}
            <SchemeToggle />
            <Account />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar className={classes.navbar} aria-label="Pages">
        <AppShell.Section grow component={ScrollArea} type="auto" scrollbarSize={6}>
          <Nav />
        </AppShell.Section>
        <AppShell.Section p="md">
          <Group gap="xs">
            <Text size="xs" c="dimmed" title={session.commit}>
              Sluice {session.version}
            </Text>
            {session.demo ? <Badge size="xs" variant="light" color="orange">demo</Badge> : null}
          </Group>
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="page" tabIndex={-1}>
        <div className={classes.page}>{children}</div>
      </AppShell.Main>
      {holder ? null : <Search />}
      {holder ? null : <Follow />}
    </AppShell>
  );
}

/** Keeps the feed open while somebody is signed in, and refreshes pages when the configuration was edited. */
function Follow() {
  const take = useRefreshOnEdits();
  useLive(["configuration"], take);
  return null;
}

function current(pathname: string): Page | undefined {
  const matching = PAGES.filter((page) => {
    const base = page.path.replace(/\/\*$/, "");
    return pathname === base || (page.path.endsWith("/*") && pathname.startsWith(`${base}/`));
  });
  return matching.sort((a, b) => b.path.length - a.path.length)[0];
}

function Nav() {
  const session = useSession();
  const { pathname } = useLocation();
  const [search] = useSearchParams();
  const here = current(pathname);
  const visible = PAGES.filter((page) => mayDo(session, page.role) && (session.role === "holder" ? page.role === "holder" : page.group !== null));
  const groups = [...new Set(visible.map((page) => page.group))];
  return (
    <nav aria-label="Main" className={classes.nav}>
      {groups.map((group) => (
        <div key={group ?? "own"}>
          {group ? (
            <Text size="xs" c="dimmed" fw={600} px="md" mt="md" mb={4}>
              {group}
            </Text>
          ) : null}
          {visible
            .filter((page) => page.group === group)
            .map((page) => {
              const Icon = page.icon;
              return (
                <Link
                  key={page.path}
                  to={{ pathname: page.path.replace(/\/\*$/, ""), search: carried(search) }}
                  className={classes.link}
                  data-active={here === page || undefined}
                  aria-current={here === page ? "page" : undefined}
                >
                  <Icon size={17} stroke={1.6} aria-hidden />
                  {page.title}
                </Link>
              );
            })}
        </div>
      ))}
    </nav>
  );
}

function SearchButton() {
  return (
    <UnstyledButton className={classes.search} onClick={spotlight.open} aria-label="Search" aria-keyshortcuts="Control+K">
      <IconSearch size={16} aria-hidden />
      <Text size="sm" c="dimmed" visibleFrom="lg">
        Search
      </Text>
      <Kbd size="xs" visibleFrom="lg">
        Ctrl K
      </Kbd>
    </UnstyledButton>
  );
}

function LiveDot() {
  const connected = useLiveConnected();
  const text = connected ? "Live: figures move as requests come" : "Not live: connecting to the gateway";
  return (
    <Tooltip label={text}>
      <span className={classes.live} data-on={connected} role="status" aria-label={text}>
        <span className={classes.dot} />
        <Text size="xs" visibleFrom="sm">
          {connected ? "Live" : "Offline"}
        </Text>
      </span>
    </Tooltip>
  );
}

function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  return (
    <ActionIcon variant="subtle" color="gray" size="lg" onClick={() => setColorScheme(dark ? "light" : "dark")} aria-label={dark ? "Use light colours" : "Use dark colours"}>
      {dark ? <IconSun size={18} aria-hidden /> : <IconMoon size={18} aria-hidden />}
    </ActionIcon>
  );
}

function Account() {
  const { session, signOut } = useSessionState();
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Account">
          <IconUserCircle size={20} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {session.name ?? "Signed in"} · {session.role}
        </Menu.Label>
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void signOut()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
