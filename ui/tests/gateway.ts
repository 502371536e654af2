// A gateway of the test's own: the real binary on ports that the system gives, with a data folder that goes away.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export interface Gateway {
  /** Where the dashboard and the APIs are. */
  admin: string;
  /** Where clients call. */
  proxy: string;
  /** The demo client's key; its provider echoes. */
  key: string;
  /** The one-time token of the first run. */
  setupToken: string;
  stop: () => Promise<void>;
}

function binary(): string {
  const found = [process.env.SLUICE_BIN, resolve("../target/debug/sluice"), resolve("../target/release/sluice")].find((path) => path && existsSync(path));
  if (!found) throw new Error("no gateway to test: build it with `cargo build --bin sluice`, or set SLUICE_BIN");
  return found;
}

export async function startGateway(): Promise<Gateway> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-ui-"));
  const ready = join(folder, "ready.json");
  const any = "127.0.0.1:0";
  const process_ = spawn(
    binary(),
    ["serve", "--demo", "--data-dir", join(folder, "data"), "--proxy-listen", any, "--admin-listen", any, "--control-listen", any, "--ready-file", ready],
    // Settings of whoever runs the tests are not the gateway's.
    { cwd: folder, stdio: ["ignore", "pipe", "pipe"], env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SLUICE_"))) },
  );
  let output = "";
  process_.stdout.on("data", (text: Buffer) => (output += text.toString()));
  process_.stderr.on("data", (text: Buffer) => (output += text.toString()));
  await appears(folder, ready, process_, () => output);
  const bound = JSON.parse(readFileSync(ready, "utf8")) as { proxy: string; admin: string };
  return {
    admin: `http://${bound.admin}`,
    proxy: `http://${bound.proxy}`,
    key: /Bearer (sk-demo-[^']+)'/.exec(output)?.[1] ?? "",
    setupToken: /setup\?token=(\S+)/.exec(output)?.[1] ?? "",
    stop: async () => {
      await ended(process_);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits for the file that the gateway writes once it serves. */
function appears(folder: string, file: string, process_: ChildProcess, output: () => string): Promise<void> {
  return new Promise((done, fail) => {
    const watcher = watch(folder, () => {
      if (existsSync(file) && readFileSync(file, "utf8").trim().endsWith("}")) finish(null);
    });
    const finish = (error: Error | null) => {
      watcher.close();
      process_.removeAllListeners("exit");
      if (error) fail(error);
      else done();
    };
    process_.on("exit", (code) => finish(new Error(`the gateway ended with ${code}:\n${output()}`)));
  });
}

function ended(process_: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (process_.exitCode !== null) return done();
    process_.once("exit", () => done());
    process_.kill("SIGTERM");
    // A second signal does not wait for open streams.
    process_.kill("SIGTERM");
  });
}
