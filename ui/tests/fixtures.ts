// What every test has: a gateway with an owner, a page that is signed in, and an end that fails on any fault of the page.
import AxeBuilder from "@axe-core/playwright";
import { expect, request, test as base, type APIRequestContext, type Browser, type Locator, type Page } from "@playwright/test";

import { startGateway, type Gateway } from "./gateway";

export const OWNER = { name: "ada", password: "correct horse battery" };

/** Text that would run if it were ever taken for HTML. */
export const EVIL = '<img src=x onerror="window.__ran=1"><script>window.__ran=1</script>';

interface WorkerFixtures {
  gateway: Gateway & { state: string };
}

interface TestFixtures {
  /** The JSON API as the owner, with its CSRF token. */
  api: APIRequestContext;
  faults: void;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  gateway: [
    async ({}, use, worker) => {
      const gateway = await startGateway();
      const context = await request.newContext({ baseURL: gateway.admin });
      const answer = await context.post("/api/v1/setup", { data: { token: gateway.setupToken, ...OWNER } });
      expect(answer.status(), await answer.text()).toBe(200);
      const state = worker.project.outputDir + `/state-${worker.workerIndex}.json`;
      await context.storageState({ path: state });
      await context.dispose();
      await use({ ...gateway, state });
      await gateway.stop();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ gateway }, use) => use(gateway.admin),
  storageState: async ({ gateway }, use) => use(gateway.state),
  api: async ({ gateway }, use) => {
    const reading = await request.newContext({ baseURL: gateway.admin, storageState: gateway.state });
    const { csrf } = (await (await reading.get("/api/v1/session")).json()) as { csrf: string };
    await reading.dispose();
    const context = await request.newContext({ baseURL: gateway.admin, storageState: gateway.state, extraHTTPHeaders: { "x-csrf-token": csrf, origin: gateway.admin } });
    await use(context);
    await context.dispose();
  },
  faults: [
    async ({ page }, use) => {
      const faults = faultsOf(page);
      await use();
      if (!page.isClosed()) expect(await page.evaluate(() => (window as { __ran?: number }).__ran), "text of a caller ran").toBeUndefined();
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Collects what goes wrong in a page from here on: exceptions, logged errors, and answers that no gateway should give. */
export function faultsOf(page: Page): string[] {
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    // Refusals that a test provokes are logged by the browser, and so is a feed that reconnects; everything else is a fault.
    if (message.type() === "error" && !/Failed to load resource|\/api\/v1\/live/.test(message.text())) faults.push(message.text());
  });
  page.on("response", (response) => {
    // 502 says that a provider failed; what the playground relays is the provider's.
    if (response.status() >= 500 && response.status() !== 502 && !response.url().includes("/playground/")) faults.push(`${response.status()} ${response.url()}`);
  });
  return faults;
}

/** A page of somebody else's, signed in or not, in a context of its own. */
export async function visitor(browser: Browser, gateway: Gateway, options: { name?: string; password?: string } = {}): Promise<Page> {
  const context = await browser.newContext({ baseURL: gateway.admin, storageState: { cookies: [], origins: [] } });
  if (options.name !== undefined) expect((await context.request.post("/api/v1/session", { data: options, headers: { origin: gateway.admin } })).status()).toBe(200);
  return context.newPage();
}

/** Makes a client; gives its key. */
export async function client(api: APIRequestContext, body: Record<string, unknown>): Promise<string> {
  const answer = await api.post("/api/v1/clients", { data: body });
  expect(answer.status(), await answer.text()).toBeLessThan(300);
  return ((await answer.json()) as { key: { key: string } }).key.key;
}

/** Opens a page of the dashboard and waits until it has its title. */
export async function open(page: Page, path: string, title: string | RegExp): Promise<void> {
  await page.goto(`/admin${path}`);
  await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
}

/** No finding of axe that is serious or worse. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter((one) => one.impact === "serious" || one.impact === "critical");
  expect(serious.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 4).join(", ")}`)).toEqual([]);
}

/** Replaces the text of a code editor by keyboard: `fill` makes the browser add style attributes, which the policy forbids. */
export async function rewrite(editor: Locator, text: string): Promise<void> {
  await editor.click();
  await editor.press("ControlOrMeta+a");
  await editor.press("Delete");
  await editor.page().keyboard.insertText(text);
}

/** Makes a chat completion as the demo client. */
export async function call(gateway: Gateway, body: Record<string, unknown>): Promise<number> {
  const response = await fetch(`${gateway.proxy}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "echo", messages: [{ role: "user", content: "hello" }], ...body }),
  });
  await response.text();
  return response.status;
}
