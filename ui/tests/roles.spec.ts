import { client, expect, expectAccessible, open, test, visitor } from "./fixtures";

const PASSWORD = "a password of twelve";

/** What the menu has for a role beside what every member sees. */
const MENUS = { viewer: [], admin: ["Audit", "Playground"], owner: ["Audit", "Playground", "Members and roles"] } as const;

/** Pages with something to change: the button that does it, and the least role that has it. */
const WRITES: [string, string, RegExp, "admin" | "owner"][] = [
  ["/clients", "Clients", /^New client$/, "admin"],
  ["/clients/role-client", "Role client", /^Save$/, "admin"],
  ["/clients/role-client?tab=keys", "Role client", /^New key$/, "admin"],
  ["/providers", "Providers", /^Add provider$/, "admin"],
  ["/providers/role-provider", "role-provider", /^Test$/, "admin"],
  ["/models", "Models", /^Add model$/, "admin"],
  ["/resources/services", "Services", /^Create$/, "admin"],
];

test.beforeAll(async ({ playwright, gateway }) => {
  const { csrf } = (await (await (await playwright.request.newContext({ baseURL: gateway.admin, storageState: gateway.state })).get("/api/v1/session")).json()) as { csrf: string };
  const api = await playwright.request.newContext({ baseURL: gateway.admin, storageState: gateway.state, extraHTTPHeaders: { "x-csrf-token": csrf, origin: gateway.admin } });
  for (const role of Object.keys(MENUS)) expect((await api.post("/api/v1/members", { data: { name: `the-${role}`, password: PASSWORD, role } })).ok()).toBe(true);
  await client(api, { id: "role-client", name: "Role client", provider: { type: "echo" }, limits: { requests_per_day: 9 } });
  expect((await api.post("/api/v1/providers", { data: { id: "role-provider", type: "echo" } })).ok()).toBe(true);
  await api.dispose();
});

for (const [role, more] of Object.entries(MENUS)) {
  test(`the ${role} has the pages and buttons of the role, and no others`, async ({ browser, gateway }) => {
    const page = await visitor(browser, gateway, { name: `the-${role}`, password: PASSWORD });
    await open(page, "/", "Overview");
    const menu = page.getByRole("navigation", { name: "Main" });
    await expect(menu.getByRole("link", { name: "Clients" })).toBeVisible();
    for (const name of MENUS.owner) await expect(menu.getByRole("link", { name })).toHaveCount(more.some((one) => one === name) ? 1 : 0);
    for (const [path, title, button, needs] of WRITES) {
      await open(page, path, title);
      await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
      const may = role === "owner" || role === needs;
      const offered = page.getByRole("button", { name: button }).or(page.getByRole("link", { name: button }));
      if (may) await expect(offered.first()).toBeVisible();
      else await expect(offered).toHaveCount(0);
    }
    for (const [path, needs] of [["/members", "owner"], ["/audit", "admin"], ["/playground", "admin"], ["/providers/new", "admin"], ["/models/new", "admin"]] as const) {
      await page.goto(`/admin${path}`);
      const may = role === "owner" || role === needs;
      await expect(page.getByRole("heading", { name: "Your role does not reach this" })).toHaveCount(may ? 0 : 1);
      if (may) await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    }
    await page.context().close();
  });
}

test("what the page does not offer, the API refuses too", async ({ browser, gateway }) => {
  const page = await visitor(browser, gateway, { name: "the-viewer", password: PASSWORD });
  await open(page, "/", "Overview");
  const { csrf } = (await (await page.request.get("/api/v1/session")).json()) as { csrf: string };
  const headers = { "x-csrf-token": csrf, origin: gateway.admin };
  for (const path of ["/api/v1/clients", "/api/v1/providers", "/api/v1/members", "/api/v1/tokens"]) {
    expect((await page.request.post(path, { data: { name: "x" }, headers })).status(), path).toBe(403);
  }
  expect((await page.request.delete("/api/v1/cache", { headers })).status()).toBe(403);
  await page.context().close();
});

test("a role that is taken away is gone with the next call", async ({ browser, gateway, api }) => {
  expect((await api.post("/api/v1/members", { data: { name: "fallen", password: PASSWORD, role: "admin" } })).ok()).toBe(true);
  const page = await visitor(browser, gateway, { name: "fallen", password: PASSWORD });
  await open(page, "/audit", "Audit");
  expect((await api.delete("/api/v1/members/fallen")).ok()).toBe(true);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Clients" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.context().close();
});

test("the holder of a key sees it move, its requests, and rotates it", async ({ browser, gateway, api }) => {
  const key = await client(api, { id: "moving", name: "Moving", provider: { type: "echo" }, limits: { requests_per_day: 4 } });
  const page = await visitor(browser, gateway);
  await page.goto("/admin/");
  await page.getByRole("button", { name: "I have a key and want to see its limits" }).click();
  await page.getByRole("textbox", { name: "Key" }).fill("gm_not-a-key-at-all");
  await page.getByRole("textbox", { name: "Key" }).press("Enter");
  await expect(page.getByRole("alert")).toBeVisible();
  await page.getByRole("textbox", { name: "Key" }).fill(key);
  await page.getByRole("textbox", { name: "Key" }).press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Moving" })).toBeVisible();
  await expect(page.getByText("0 / 4")).toBeVisible();
  const calling = (bearer: string) => fetch(`${gateway.proxy}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" }, body: JSON.stringify({ model: "echo", messages: [{ role: "user", content: "hi" }] }) }).then((answer) => answer.status);
  expect(await calling(key)).toBe(200);
  await expect(page.getByText("1 / 4")).toBeVisible();
  await expect(page.getByRole("table", { name: "Latest requests" }).getByText("echo")).toBeVisible();
  await page.setViewportSize({ width: 320, height: 700 });
  await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  await expectAccessible(page);
  await page.getByRole("button", { name: "Rotate this key" }).click();
  await page.getByRole("dialog").getByRole("textbox", { name: "The old key works on for" }).fill("0");
  await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
  const fresh = (await page.locator("[data-new-key]").textContent()) ?? "";
  await expect.poll(() => calling(key)).toBe(401);
  expect(await calling(fresh)).toBe(200);
  await page.context().close();
});
