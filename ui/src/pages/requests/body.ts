// Bodies as the log shows them.
import type { PayloadPart } from "../../api/types";
import { absorb, emptyAnswer, type Answer } from "../playground/chat";
import { SseParser } from "../playground/sse";

/** JSON with line breaks, if it is JSON. */
export function pretty(text: string): { text: string; language: "json" | "text" } {
  try {
    return { text: JSON.stringify(JSON.parse(text), null, 2), language: "json" };
  } catch {
    return { text, language: "text" };
  }
}

/** The answer that a streamed body adds up to, for chat completions; null for whatever else. */
export function assembled(part: PayloadPart): Answer | null {
  if (part.encoding !== "utf8" || !/^(data|event|:)/m.test(part.body.slice(0, 64))) return null;
  const parser = new SseParser();
  let answer = emptyAnswer(null);
  let chunks = 0;
  for (const event of parser.push(`${part.body}\n\n`)) {
    try {
      const chunk = JSON.parse(event.data) as { choices?: unknown };
      if (!Array.isArray(chunk.choices)) continue;
      answer = { ...answer, ...absorb(answer, chunk) };
      chunks++;
    } catch {
      // `[DONE]`, or the last event of a body that was cut
    }
  }
  return chunks > 0 ? answer : null;
}
