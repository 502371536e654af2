// Every form takes hostile text: it is refused with a message that can be seen, or shown as the text that it is.
import type { Locator, Page } from "@playwright/test";

import { client, EVIL, expect, open, test } from "./fixtures";

const LONG = "x".repeat(5_000);
/** Fields of one form that are filled: a client's has dozens. */
const MOST = 14;

/** Where a form is, how it is opened, and what sends it. */
const FORMS: [string, string | RegExp, ((page: Page) => Promise<Locator>) | null, string][] = [
  ["/clients?new=1", "Clients", async (page) => page.getByRole("dialog"), "Create client"],
  ["/clients/hostile", /^(Hostile|<img)/, null, "Save"],
  ["/clients/hostile?tab=keys", /^(Hostile|<img)/, (page) => opened(page, "New key"), "Make key"],
  ["/members", "Members and roles", (page) => opened(page, "Add member"), "Add member"],
  ["/members?tab=tokens", "Members and roles", null, "Make token"],
  ["/providers/new", "Add a provider", null, "Add provider"],
  ["/models/new", "Add a model", null, "Add model"],
  ["/resources/services/new", "New: service", null, "Create"],
  ["/resources/upstreams/new", "New: upstream", null, "Create"],
  ["/resources/consumers/new", "New: consumer", null, "Create"],
];

async function opened(page: Page, button: string): Promise<Locator> {
  await page.getByRole("button", { name: button }).first().click();
  return page.getByRole("dialog");
}

test.beforeAll(async ({ playwright, gateway }) => {
  const reading = await playwright.request.newContext({ baseURL: gateway.admin, storageState: gateway.state });
  const { csrf } = (await (await reading.get("/api/v1/session")).json()) as { csrf: string };
  const api = await playwright.request.newContext({ baseURL: gateway.admin, storageState: gateway.state, extraHTTPHeaders: { "x-csrf-token": csrf, origin: gateway.admin } });
  await client(api, { id: "hostile", name: "Hostile", provider: { type: "echo" } });
  await reading.dispose();
  await api.dispose();
});

for (const [path, title, open_, submit] of FORMS) {
  test(`${path.replace("?new=1", "/new")}: “${submit}” with hostile values`, async ({ page }) => {
    for (const text of [EVIL, LONG]) {
      await open(page, path, title);
      const form = open_ ? await open_(page) : page.getByRole("main");
      await fill(form, text);
      const answered = page.waitForResponse((response) => response.url().includes("/api/v1/") && !["GET", "HEAD"].includes(response.request().method()), { timeout: 3000 }).catch(() => null);
      await form.getByRole("button", { name: submit, exact: true }).last().click();
      const answer = await Promise.race([answered, said(page).first().waitFor().then(() => null)]);
      if (answer?.ok()) continue;
      await expect(said(page).first()).toBeVisible();
      expect(await page.locator('img[src="x"]').count()).toBe(0);
    }
  });
}

/** A message at a field, or one of the form's. */
function said(page: Page): Locator {
  return page.locator('[role="alert"]:visible, [aria-invalid="true"]:visible, .mantine-InputWrapper-error:visible');
}

async function fill(form: Locator, text: string): Promise<void> {
  let filled = 0;
  for (const field of await form.locator('input:not([type="hidden"], [type="file"], [type="checkbox"], [type="radio"], [type="datetime-local"], [role="combobox"], [readonly]), textarea').all()) {
    if (filled >= MOST) return;
    if (!(await field.isVisible()) || !(await field.isEditable())) continue;
    filled++;
    const numeric = (await field.getAttribute("inputmode")) !== null && (await field.getAttribute("inputmode")) !== "text";
    await field.fill(numeric ? "999999999999999" : text, { timeout: 2000 }).catch(() => undefined);
  }
}

test("what is sent is text wherever it is shown", async ({ page, api }) => {
  await client(api, { id: "shown", name: EVIL, description: EVIL, owner: EVIL, tags: ["<b>tag</b>"], provider: { type: "echo" }, default_model: EVIL, system_prompt: { text: EVIL, position: "first", locked: false } });
  for (const path of ["/clients", "/clients/shown", "/clients/shown?tab=connect", "/clients/shown?tab=audit", "/audit?key=shown", "/playground?client=shown", "/connect?client=shown"]) {
    await page.goto(`/admin${path}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
    expect(await page.locator('img[src="x"]').count(), path).toBe(0);
    expect(await page.evaluate(() => (window as { __ran?: number }).__ran), path).toBeUndefined();
  }
});
