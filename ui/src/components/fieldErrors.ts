import { ApiFailure } from "../api/client";

/** Messages of a refused write by field, for forms to show at their inputs. */
export function fieldErrors(error: unknown): Record<string, string> {
  if (!(error instanceof ApiFailure)) return {};
  return Object.fromEntries(error.fields.map(({ field, message }) => [field, message]));
}

/** What a form shows on top: the whole message, unless every part of it stands at a field that the form has. */
export function formError(error: unknown, shown: readonly string[]): string | null {
  if (!error) return null;
  if (error instanceof ApiFailure && error.fields.length > 0 && error.fields.every(({ field }) => shown.includes(field))) return null;
  return error instanceof Error ? error.message : String(error);
}
