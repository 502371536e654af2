// Who is signed in. The session is read once at the start, and again whenever an answer says that it is over.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useCallback, useContext, useEffect, type ReactNode } from "react";

import { api, onSignedOut, setCsrf } from "./client";
import type { Role, Session } from "./types";

const RANKS: Record<Role, number> = { holder: 0, viewer: 1, admin: 2, owner: 3 };

interface SessionState {
  session: Session;
  /** Puts a session that a sign-in gave in place. */
  adopt: (session: Session) => void;
  signOut: () => Promise<void>;
}

const SessionContext = createContext<SessionState | null>(null);

export function SessionProvider({ children, waiting, failed }: { children: ReactNode; waiting: ReactNode; failed: (error: unknown, retry: () => void) => ReactNode }) {
  const queries = useQueryClient();
  const { data, error, refetch } = useQuery({ queryKey: ["session"], queryFn: () => api.get<Session>("/session"), staleTime: Infinity, retry: 1 });
  const adopt = useCallback(
    (session: Session) => {
      setCsrf(session.csrf);
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== "session" });
      queries.setQueryData(["session"], session);
    },
    [queries],
  );
  const signOut = useCallback(async () => {
    await api.delete("/session");
    adopt(await api.get<Session>("/session"));
  }, [adopt]);
  useEffect(() => onSignedOut(() => void queries.invalidateQueries({ queryKey: ["session"] })), [queries]);
  if (data) setCsrf(data.csrf);
  if (error && !data) return <>{failed(error, () => void refetch())}</>;
  if (!data) return <>{waiting}</>;
  return <SessionContext.Provider value={{ session: data, adopt, signOut }}>{children}</SessionContext.Provider>;
}

export function useSessionState(): SessionState {
  const state = useContext(SessionContext);
  if (!state) throw new Error("no session around");
  return state;
}

export function useSession(): Session {
  return useSessionState().session;
}

export function mayDo(session: Session, needs: Role): boolean {
  return session.role !== null && RANKS[session.role] >= RANKS[needs];
}

/** Whether the one who is signed in has at least this role. */
export function useMay(needs: Role): boolean {
  return mayDo(useSession(), needs);
}
