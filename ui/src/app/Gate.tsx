import { lazy, Suspense } from "react";
import { Navigate, Route, Routes, useLocation } from "react-router";

import { useSession } from "../api/session";
import { ErrorBoundary } from "../components/ErrorBoundary";
import { EmptyState, LoadingState } from "../components/states";
import { PAGES, type Page } from "./pages";
import { RequireRole } from "./RequireRole";
import { Shell } from "./Shell";
import { SignInPage } from "./SignInPage";

const SetupPage = lazy(() => import("../pages/setup/SetupPage"));

/** Lets in who is signed in; everybody else gets the sign-in page at whatever address they came to. */
export function Gate() {
  const session = useSession();
  const { pathname } = useLocation();
  if (pathname === "/setup" && session.role !== "holder" && session.role !== "viewer") {
    return (
      <Suspense fallback={<LoadingState />}>
        <SetupPage />
      </Suspense>
    );
  }
  if (session.state !== "signed_in") return <SignInPage />;
  return (
    <Shell>
      <Routes>
        {PAGES.map((page) => (
          <Route key={page.path} path={page.path} element={<PageFrame page={page} />} />
        ))}
        {session.role === "holder" ? <Route path="*" element={<Navigate to="/me" replace />} /> : null}
        <Route path="*" element={<NotFound />} />
      </Routes>
    </Shell>
  );
}

function PageFrame({ page }: { page: Page }) {
  const session = useSession();
  if (session.role === "holder" && page.role !== "holder") return <Navigate to="/me" replace />;
  const Content = page.component;
  return (
    <RequireRole role={page.role}>
      <ErrorBoundary key={page.path}>
        <Suspense fallback={<LoadingState />}>
          <Content />
        </Suspense>
      </ErrorBoundary>
    </RequireRole>
  );
}

function NotFound() {
  return <EmptyState title="There is no such page">The address may be of an older version. The menu has every page there is.</EmptyState>;
}
