import { NavLink, Select } from "@mantine/core";
import type { ReactNode } from "react";
import { Link, Navigate, Route, Routes, useLocation, useNavigate } from "react-router";

import { ErrorState, LoadingState } from "../../components/states";
import { PluginsPage } from "./PluginsPage";
import { inOrder, kindTitle, useKinds } from "./queries";
import { ResourceEditor } from "./ResourceEditor";
import { ResourceList } from "./ResourceList";
import classes from "./resources.module.css";

/** Everything that is stored, kind by kind, and the tools to understand it. */
export default function ResourcesPages() {
  const kinds = useKinds();
  if (kinds.error) return <ErrorState error={kinds.error} retry={() => void kinds.refetch()} />;
  if (!kinds.data) return <LoadingState />;
  return (
    <Frame places={[...inOrder(kinds.data).map((kind) => ({ path: kind.kind, title: kindTitle(kind) })), { path: "plugins", title: "Plugins" }]}>
      <Routes>
        <Route index element={<Navigate to="routes" replace />} />
        <Route path="plugins" element={<PluginsPage />} />
        <Route path="plugins/:name" element={<PluginsPage />} />
        <Route path=":kind" element={<ResourceList />} />
        <Route path=":kind/new" element={<ResourceEditor />} />
        <Route path=":kind/edit/:id" element={<ResourceEditor />} />
      </Routes>
    </Frame>
  );
}

function Frame({ places, children }: { places: { path: string; title: string }[]; children: ReactNode }) {
  const { pathname } = useLocation();
  const go = useNavigate();
  const here = pathname.split("/")[2] ?? "routes";
  return (
    <div className={classes.frame}>
      <nav className={classes.kinds} aria-label="Kinds">
        <div className={classes.wide}>
          {places.map((place) => (
            <NavLink key={place.path} component={Link} to={`/resources/${place.path}`} label={place.title} active={here === place.path} aria-current={here === place.path ? "page" : undefined} className={classes.link} />
          ))}
        </div>
        <Select
          className={classes.narrow}
          aria-label="Kind"
          data={places.map((place) => ({ value: place.path, label: place.title }))}
          value={here}
          allowDeselect={false}
          onChange={(value) => value && void go(`/resources/${value}`)}
        />
      </nav>
      <div className={classes.content}>{children}</div>
    </div>
  );
}
