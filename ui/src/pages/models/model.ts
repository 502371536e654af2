import type { Price, Rates } from "../../api/types";
import type { JsonObject } from "../../components/schema-form";

/** A model of the registry: the resource, and what the gateway knows of its price. */
export type Model = JsonObject & { id: string; version: number; price: Price };

export const RATES: { name: keyof Rates; label: string }[] = [
  { name: "input", label: "Input" },
  { name: "output", label: "Output" },
  { name: "cache_read", label: "Cache read" },
  { name: "cache_write", label: "Cache write" },
  { name: "cache_write_1h", label: "Cache write, 1 h" },
  { name: "reasoning", label: "Reasoning" },
  { name: "audio_input", label: "Audio in" },
  { name: "audio_output", label: "Audio out" },
  { name: "image_input", label: "Images in" },
  { name: "image_output", label: "Images out" },
];

/** The rates of a price; one that was configured has them one level deeper, beside those for long contexts. */
export function ratesOf(price: Price): Rates {
  return (price.rates as { rates?: Rates }).rates ?? price.rates;
}

/** The page of a model; ids may have slashes. */
export function modelPage(id: string): string {
  return `/models/edit/${encodeURIComponent(id)}`;
}
