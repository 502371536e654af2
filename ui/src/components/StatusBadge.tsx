import { Badge, Tooltip } from "@mantine/core";

/** The status of an answer, with how it ended where that was not well. */
export function StatusBadge({ status, ended, error }: { status: number; ended?: string; error?: string | null }) {
  const color = status === 429 ? "orange" : status >= 500 || status === 0 ? "red" : status >= 400 ? "yellow" : "teal";
  const cut = ended !== undefined && !["completed", "complete", "ok", "done", ""].includes(ended) && status < 400;
  const badge = (
    <Badge size="sm" variant="light" color={cut ? "orange" : color}>
      {status === 0 ? "none" : status}
      {cut ? ` · ${ended.replace(/_/g, " ")}` : ""}
    </Badge>
  );
  const why = error ?? (cut ? ended.replace(/_/g, " ") : null);
  return why ? <Tooltip label={why}>{badge}</Tooltip> : badge;
}
