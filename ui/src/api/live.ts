// The live feed: one WebSocket for the whole page, topics counted by who listens, reconnecting by itself.
import { useEffect, useRef, useSyncExternalStore } from "react";

import { BASE } from "./client";
import type { Live } from "./types";

type Handler = (message: Live) => void;

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** The server pings; silence for this long means that the line is dead. */
const SILENCE_MS = 45_000;

class LiveFeed {
  private socket: WebSocket | null = null;
  private topics = new Map<string, number>();
  private handlers = new Set<Handler>();
  private watchers = new Set<() => void>();
  private wait = FIRST_WAIT_MS;
  private retry: ReturnType<typeof setTimeout> | null = null;
  private silence: ReturnType<typeof setTimeout> | null = null;
  connected = false;

  listen(topics: readonly string[], handler: Handler): () => void {
    this.handlers.add(handler);
    for (const topic of topics) this.topics.set(topic, (this.topics.get(topic) ?? 0) + 1);
    if (this.socket === null && this.retry === null) this.open();
    else this.subscribe();
    return () => {
      this.handlers.delete(handler);
      for (const topic of topics) {
        const left = (this.topics.get(topic) ?? 1) - 1;
        if (left > 0) this.topics.set(topic, left);
        else this.topics.delete(topic);
      }
      if (this.handlers.size === 0) this.close();
      else this.subscribe();
    };
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  private open(): void {
    this.retry = null;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${BASE}/live`);
    this.socket = socket;
    socket.onopen = () => {
      this.wait = FIRST_WAIT_MS;
      this.setConnected(true);
      this.subscribe();
      this.heard();
    };
    socket.onmessage = (event) => {
      this.heard();
      this.deliver(event.data);
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  private deliver(data: unknown): void {
    if (typeof data !== "string") return;
    let message: Live;
    try {
      message = JSON.parse(data) as Live;
    } catch {
      return;
    }
    for (const handler of [...this.handlers]) handler(message);
  }

  private heard(): void {
    if (this.silence) clearTimeout(this.silence);
    this.silence = setTimeout(() => this.socket?.close(), SILENCE_MS);
  }

  private lost(): void {
    this.socket = null;
    this.setConnected(false);
    if (this.silence) clearTimeout(this.silence);
    if (this.handlers.size === 0) return;
    // Not all pages of a restarted gateway at once.
    this.retry = setTimeout(() => this.open(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  private close(): void {
    if (this.retry) clearTimeout(this.retry);
    if (this.silence) clearTimeout(this.silence);
    this.retry = null;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.setConnected(false);
  }

  private subscribe(): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify({ type: "subscribe", topics: [...this.topics.keys()] }));
  }

  private setConnected(connected: boolean): void {
    this.connected = connected;
    for (const watcher of this.watchers) watcher();
  }
}

const feed = new LiveFeed();

/** Hands every message of the feed to `handler` while the component is there and `enabled`. Topics must not change. */
export function useLive(topics: readonly string[], handler: Handler, enabled = true): { connected: boolean } {
  const latest = useRef(handler);
  useEffect(() => {
    latest.current = handler;
  });
  const key = topics.join();
  useEffect(() => {
    if (!enabled) return;
    return feed.listen(key === "" ? [] : key.split(","), (message) => latest.current(message));
  }, [key, enabled]);
  return { connected: useLiveConnected() };
}

export function useLiveConnected(): boolean {
  return useSyncExternalStore(
    (changed) => feed.watch(changed),
    () => feed.connected,
  );
}
