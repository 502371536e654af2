// Server-sent events out of a byte stream, as the HTML standard parses them.

export interface SseEvent {
  event: string;
  data: string;
}

/** Longest event that is kept, in characters: a stream without line ends must not fill the memory. */
const LONGEST = 8 * 1024 * 1024;

export async function* sseEvents(stream: ReadableStream<Uint8Array>): AsyncGenerator<SseEvent> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
    yield* parser.push(`${decoder.decode()}\n\n`);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Takes text in pieces of any size and gives the events that are complete. */
export class SseParser {
  private rest = "";
  private event = "";
  private data: string[] = [];

  push(text: string): SseEvent[] {
    this.rest += text;
    const events: SseEvent[] = [];
    for (;;) {
      const end = this.rest.search(/[\r\n]/);
      if (end < 0) break;
      // A CR at the very end may be half of a CRLF.
      if (this.rest[end] === "\r" && end === this.rest.length - 1) break;
      const line = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + (this.rest.startsWith("\r\n", end) ? 2 : 1));
      this.line(line, events);
    }
    if (this.rest.length > LONGEST) throw new Error("an event of the stream is too long");
    return events;
  }

  private line(line: string, events: SseEvent[]): void {
    if (line === "") {
      if (this.data.length > 0) events.push({ event: this.event || "message", data: this.data.join("\n") });
      this.event = "";
      this.data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment: keep-alive
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.event = value;
    if (field === "data") this.data.push(value);
  }
}
