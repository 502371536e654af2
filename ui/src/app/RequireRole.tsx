import type { ReactNode } from "react";

import { useMay } from "../api/session";
import type { Role } from "../api/types";
import { NoPermission } from "../components/states";

/** Shows its children to those who may see them, and says to the others what it takes. */
export function RequireRole({ role, children }: { role: Role; children: ReactNode }) {
  return useMay(role) ? <>{children}</> : <NoPermission needs={role} />;
}
