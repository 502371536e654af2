// Every page, every button: none may throw, log an error or make the gateway fail.
import type { Browser, Page } from "@playwright/test";

import { call, client, expect, faultsOf, open, OWNER, test, visitor } from "./fixtures";
import { startGateway, type Gateway } from "./gateway";

// Buttons change things: this gateway is nobody else's.
let gateway: Gateway;

test.beforeAll(async ({ playwright }) => {
  gateway = await startGateway();
  const headers = { origin: gateway.admin };
  const api = await playwright.request.newContext({ baseURL: gateway.admin, extraHTTPHeaders: headers });
  const { csrf } = (await (await api.post("/api/v1/setup", { data: { token: gateway.setupToken, ...OWNER } })).json()) as { csrf: string };
  const writing = await playwright.request.newContext({ baseURL: gateway.admin, storageState: await api.storageState(), extraHTTPHeaders: { ...headers, "x-csrf-token": csrf } });
  expect((await writing.post("/api/v1/providers", { data: { id: "walked", type: "echo" } })).ok()).toBe(true);
  expect((await writing.put("/api/v1/models/walked", { data: { targets: [{ provider: "walked", model: "echo" }] } })).ok()).toBe(true);
  expect((await writing.put("/api/v1/resources/services/walked", { data: { value: { desc: "x", plugins: { "ai-cache": { policy: "local" } } } } })).ok()).toBe(true);
  const key = await client(writing, { id: "walked", name: "Walked", provider: { type: "echo" }, default_model: "echo", limits: { requests_per_day: 1000 }, log_payloads: true, tags: ["walked"] });
  for (let count = 0; count < 3; count++) expect(await call({ ...gateway, key }, { stream: count === 1 })).toBe(200);
  await writing.dispose();
  await api.dispose();
});
test.afterAll(() => gateway.stop());

const CONFIGURING: [string, string][] = [
  ["/", "Overview"],
  ["/connect?client=walked", "Connect"],
  ["/clients", "Clients"],
  ["/clients/walked", "Walked"],
  ["/clients/walked?tab=keys", "Walked"],
  ["/clients/walked?tab=models", "Walked"],
  ["/clients/walked?tab=limits", "Walked"],
  ["/clients/walked?tab=activity", "Walked"],
  ["/clients/walked?tab=audit", "Walked"],
  ["/limits", "Limits and budgets"],
  ["/members", "Members and roles"],
  ["/members?tab=tokens", "Members and roles"],
  ["/members?tab=sessions", "Members and roles"],
  ["/providers", "Providers"],
  ["/providers/walked", "walked"],
  ["/models", "Models"],
  ["/models/edit/walked", "walked"],
];

const WATCHING: [string, string][] = [
  ["/resources/services", "Services"],
  ["/resources/services/edit/walked", "walked"],
  ["/resources/plugins", "Plugins"],
  ["/requests", "Requests"],
  ["/usage", "Usage and cost"],
  ["/audit", "Audit"],
  ["/playground?client=walked", "Playground"],
  ["/playground?client=walked&tab=embeddings", "Playground"],
  ["/cache", "Cache"],
  ["/settings", "Settings"],
];

const CLICKABLE = 'button, [role="tab"], input[type="radio"], input[role="switch"]';

for (const [part, pages] of [["configure", CONFIGURING], ["watch and try", WATCHING]] as const) {
  test(`every button can be clicked, where one goes to ${part}`, ({ browser }) => walk(browser, pages));
}

async function walk(browser: Browser, pages: [string, string][]): Promise<void> {
  test.setTimeout(240_000);
  const page = await visitor(browser, gateway, OWNER);
  const faults = faultsOf(page);
  let clicked = 0;
  // Views of one page share its head: what was clicked there is not clicked again.
  const known = new Map<string, Set<string>>();
  for (const [path, title] of pages) {
    await open(page, path, title);
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
    const address = page.url();
    const pathname = path.replace(/\?.*/, "");
    const before = known.get(pathname) ?? new Set();
    known.set(pathname, before);
    for (const name of await names(page)) {
      if (before.has(name)) continue;
      before.add(name);
      if (page.url() !== address) {
        await open(page, path, title);
        await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
      }
      if (await click(page, name)) clicked++;
      await closed(page);
      expect(faults, `“${name}” on ${path}`).toEqual([]);
      await expect(page.getByText("Something went wrong in this page"), `“${name}” on ${path}`).toHaveCount(0);
    }
  }
  expect(clicked).toBeGreaterThan(30);
  await page.context().close();
}

/** What can be clicked in the page, each name once. */
async function names(page: Page): Promise<string[]> {
  const all = await page.getByRole("main").locator(CLICKABLE).evaluateAll((found) =>
    found.filter((one) => one instanceof HTMLElement && one.offsetParent !== null && !one.matches(":disabled")).map((one) => one.getAttribute("aria-label") ?? ((one as HTMLInputElement).labels?.[0]?.textContent || one.textContent).trim()),
  );
  return [...new Set(all.filter((name) => name !== ""))];
}

async function click(page: Page, name: string): Promise<boolean> {
  const main = page.getByRole("main");
  const exact = { name, exact: true } as const;
  const found = main.getByRole("button", exact).or(main.getByRole("tab", exact)).or(main.getByRole("radio", exact)).or(main.getByRole("switch", exact)).first();
  // A click before may have taken it away or switched it off.
  if (!(await found.isVisible()) || !(await found.isEnabled())) return false;
  await found.dispatchEvent("click");
  return true;
}

/** Closes what a click may have opened. */
async function closed(page: Page): Promise<void> {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const dialogs = page.getByRole("dialog");
  // A dialog hears the key once it has the focus, and leaves with a movement.
  await expect(async () => {
    if ((await dialogs.count()) > 0) await page.keyboard.press("Escape");
    await expect(dialogs).toHaveCount(0, { timeout: 400 });
  }).toPass();
}
