import { useEffect, useRef, type RefObject } from "react";

import { ApiFailure } from "../api/client";

/**
 * Messages of a refused write by field, for forms to show at their inputs. A message for a part of a field, such as
 * `tags.1`, stands at the field, too.
 */
export function fieldErrors(error: unknown): Record<string, string> {
  if (!(error instanceof ApiFailure)) return {};
  const found: Record<string, string> = {};
  for (const { field, message } of error.fields) {
    for (const name of withOwners(field)) found[name] ??= message;
  }
  return found;
}

/** `limits.per_model.x` → itself, `limits.per_model` and `limits`. */
function withOwners(field: string): string[] {
  const parts = field.split(".");
  return parts.map((_, index) => parts.slice(0, parts.length - index).join("."));
}

/** What a form shows on top: the whole message, unless every part of it stands at a field that the form has. */
export function formError(error: unknown, shown: readonly string[]): string | null {
  if (!error) return null;
  const placed = (field: string) => withOwners(field).some((name) => shown.includes(name));
  if (error instanceof ApiFailure && error.fields.length > 0 && error.fields.every(({ field }) => placed(field))) return null;
  return error instanceof Error ? error.message : String(error);
}

/** Puts the keyboard into the first field that has a message once a write was refused: it may be far up the form. */
export function useFirstFault<T extends HTMLElement = HTMLFormElement>(error: unknown): RefObject<T | null> {
  const form = useRef<T>(null);
  useEffect(() => {
    if (!error) return;
    const field = form.current?.querySelector<HTMLElement>('[aria-invalid="true"], [data-error] input');
    field?.focus();
    field?.scrollIntoView({ block: "center" });
  }, [error]);
  return form;
}
