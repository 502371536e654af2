import { EVIL, expect, expectAccessible, open, rewrite, test } from "./fixtures";

test("a route: bad input is refused at the field, then made, changed, validated and deleted", async ({ page, api }) => {
  await open(page, "/resources/routes/new", "New: route");
  await page.getByRole("textbox", { name: "ID", exact: true }).fill("not / an id");
  await page.getByRole("textbox", { name: "URI", exact: true }).fill("/ui-test");
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByText("takes letters, digits, - _ and .").first()).toBeVisible();
  await page.getByRole("textbox", { name: "ID", exact: true }).fill("ui-test");
  await page.getByRole("textbox", { name: "Name", exact: true }).fill(EVIL);
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "needs one of" }).first()).toBeVisible();

  await page.getByRole("button", { name: "Add plugin" }).click();
  await page.getByRole("textbox", { name: "Search plugins" }).fill("mocking");
  await page.getByRole("dialog").getByRole("button", { name: /^mocking/ }).click();
  const drawer = page.getByRole("dialog", { name: "mocking" });
  await drawer.getByRole("tab", { name: "Documentation" }).click();
  await expect(drawer.getByRole("heading").nth(1)).toBeVisible();
  await drawer.getByRole("tab", { name: "JSON" }).click();
  await rewrite(drawer.getByRole("textbox", { name: "mocking as JSON" }), '{"response_example": "hi", "delay": "x"}');
  await drawer.getByRole("button", { name: "Use this" }).click();
  await expect(drawer.getByText(/must be integer|must be number/).first()).toBeVisible();
  await drawer.getByRole("tab", { name: "JSON" }).click();
  await rewrite(drawer.getByRole("textbox", { name: "mocking as JSON" }), '{"response_example": "hi"}');
  await drawer.getByRole("button", { name: "Use this" }).click();
  await expect(page.getByRole("group", { name: "Plugins" }).getByText("mocking")).toBeVisible();
  await expectAccessible(page);

  await page.getByRole("button", { name: "Validate" }).click();
  await expect(page.getByText("Valid. Nothing was stored yet.")).toBeVisible();
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "ui-test" })).toBeVisible();
  expect((await api.get("/api/v1/resources/routes/ui-test")).status()).toBe(200);

  await page.getByRole("switch", { name: "mocking is on" }).press("Space");
  await expect(page.getByText("not saved")).toBeVisible();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("not saved")).toHaveCount(0);
  const stored = (await (await api.get("/api/v1/resources/routes/ui-test")).json()) as { value: { plugins: { mocking: { _meta: unknown } } } };
  expect(stored.value.plugins.mocking._meta).toEqual({ disable: true });

  await open(page, "/resources/routes", "Routes");
  await expect(page.getByRole("table", { name: "Routes" }).getByText(EVIL)).toBeVisible();
  await page.getByRole("textbox", { name: "Search Routes" }).fill("no such thing");
  await expect(page.getByRole("heading", { name: "Nothing has that in it" })).toBeVisible();
  await page.getByRole("button", { name: "Clear the search" }).click();
  await page.getByRole("link", { name: "ui-test" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Routes" })).toBeVisible();
  expect((await api.get("/api/v1/resources/routes/ui-test")).status()).toBe(404);
});

test("two people change one thing: the second is shown the difference and chooses", async ({ page, api }) => {
  const path = "/api/v1/resources/upstreams/shared";
  const put = (desc: string, version?: number) => api.put(path, { data: { value: { desc, type: "roundrobin", nodes: { "127.0.0.1:1": 1 } }, version } });
  const made = (await (await put("first")).json()) as { version: number };
  await open(page, "/resources/upstreams/edit/shared", "shared");
  await page.getByRole("textbox", { name: "Description" }).fill("mine");
  expect((await put("theirs", made.version)).ok()).toBe(true);
  await page.getByRole("button", { name: "Save" }).click();
  const dialog = page.getByRole("dialog", { name: "Somebody else changed this meanwhile" });
  await expect(dialog.getByText('"desc": "theirs"')).toBeVisible();
  await expect(dialog.getByText('"desc": "mine"')).toBeVisible();
  await dialog.getByRole("button", { name: "Go on editing mine" }).click();
  await expect(page.getByRole("textbox", { name: "Description" })).toHaveValue("mine");
  await page.getByRole("button", { name: "Save" }).click();
  await dialog.getByRole("button", { name: "Overwrite with mine" }).click();
  await expect(dialog).toHaveCount(0);
  await expect.poll(async () => ((await (await api.get(path)).json()) as { value: { desc: string } }).value.desc).toBe("mine");
  expect((await api.delete(path)).ok()).toBe(true);
});

test("a secret is never shown and stays when it is not typed over", async ({ page, api }) => {
  const path = "/api/v1/resources/routes/with-secret";
  const value = { uri: "/with-secret", plugins: { "ai-proxy": { provider: "openai", auth: { header: { Authorization: "Bearer canary-7" } } } } };
  expect((await api.put(path, { data: { value } })).ok()).toBe(true);
  await open(page, "/resources/routes/edit/with-secret", "with-secret");
  await page.getByRole("button", { name: "Edit ai-proxy" }).click();
  const drawer = page.getByRole("dialog", { name: "ai-proxy" });
  await expect(drawer.getByRole("textbox", { name: "Authorization" })).toHaveAttribute("placeholder", "unchanged");
  await expect(drawer.getByRole("textbox", { name: "Authorization" })).toHaveAttribute("type", "password");
  await drawer.getByRole("button", { name: "Use this" }).click();
  await page.getByRole("textbox", { name: "Description" }).fill("changed");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("not saved")).toHaveCount(0);
  await page.getByRole("radiogroup", { name: "Edit as" }).getByText("JSON").click();
  await expect(page.getByRole("textbox", { name: "Resource as JSON" })).toContainText("***");
  expect(await page.content()).not.toContain("canary-7");
  expect((await api.delete(path)).ok()).toBe(true);
});

test("each kind has its list and its form", async ({ page, api }) => {
  const kinds = ((await (await api.get("/api/v1/kinds")).json()) as { items: { kind: string }[] }).items;
  for (const { kind } of kinds) {
    await page.goto(`/admin/resources/${kind}/new`);
    await expect(page.getByRole("button", { name: "Create" })).toBeVisible();
    await expect(page.getByText("Something went wrong in this page")).toHaveCount(0);
  }
});

test("every plugin has its form", async ({ page, api }) => {
  // Some fifty of them, each opened and taken out again.
  test.setTimeout(300_000);
  await open(page, "/resources/routes/new", "New: route");
  const plugins = ((await (await api.get("/api/v1/plugins")).json()) as { items: { name: string; scope?: string }[] }).items;
  for (const plugin of plugins.filter((one) => one.scope !== "global")) {
    await page.getByRole("button", { name: "Add plugin" }).click();
    await page.getByRole("textbox", { name: "Search plugins" }).fill(plugin.name);
    await page.getByRole("dialog").getByRole("button", { name: new RegExp(`^${plugin.name}\\s*\\d`) }).click();
    const drawer = page.getByRole("dialog", { name: plugin.name, exact: true });
    await expect(drawer.getByRole("tab", { name: "Form" })).toBeVisible();
    await drawer.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: `Remove ${plugin.name}`, exact: true }).click();
  }
});

test("changes stand in the audit log with before and after", async ({ page, api }) => {
  const path = "/api/v1/resources/services/audited";
  const made = (await (await api.put(path, { data: { value: { desc: "one" } } })).json()) as { version: number };
  await api.put(path, { data: { value: { desc: EVIL }, version: made.version } });
  await open(page, "/audit?key=audited", "Audit");
  const entry = page.getByRole("listitem").first();
  await entry.getByRole("button").click();
  await expect(entry.getByText("/desc")).toBeVisible();
  await expect(entry.getByText("one", { exact: true })).toBeVisible();
  await expect(entry.getByText(EVIL)).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("textbox", { name: "Who" }).fill("nobody-at-all");
  await page.getByRole("textbox", { name: "Who" }).press("Enter");
  await expect(page.getByRole("heading", { name: "No change passes these filters" })).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(page.getByRole("listitem").first()).toBeVisible();
  expect((await api.delete(path)).ok()).toBe(true);
});

test("every form is shown as an API call", async ({ page }) => {
  await open(page, "/resources/routes/new", "New: route");
  await page.getByRole("textbox", { name: "URI", exact: true }).fill("/it's");
  await page.getByRole("button", { name: "Show as API call" }).click();
  const dialog = page.getByRole("dialog", { name: "As an API call" });
  await expect(dialog.getByText(/curl -X PUT/)).toBeVisible();
  await expect(dialog.getByText(/it'\\''s/)).toBeVisible();
});
