import { EVIL, expect, expectAccessible, open, test } from "./fixtures";

test("a client: made with bad and good input, its key calls, limits are in force with the next request", async ({ page, gateway, api }) => {
  await open(page, "/clients", "Clients");
  await page.getByRole("button", { name: "New client" }).first().click();
  const drawer = page.getByRole("dialog", { name: "New client" });
  await drawer.getByRole("button", { name: "Create client" }).click();
  await expect(drawer.getByRole("alert").or(drawer.getByText(/name.*(need|requir|empty)|is needed/i)).first()).toBeVisible();
  await drawer.getByRole("textbox", { name: "Name", exact: true }).fill(EVIL);
  await drawer.getByRole("textbox", { name: "ID", exact: true }).fill("ui-client");
  await drawer.getByRole("combobox", { name: "Provider", exact: true }).click();
  await page.getByRole("option", { name: /^echo/i }).click();
  await drawer.getByRole("textbox", { name: "Requests per minute" }).fill("2");
  await expectAccessible(page);
  await drawer.getByRole("button", { name: "Create client" }).click();
  const key = (await drawer.locator("[data-new-key]").textContent()) ?? "";
  expect(key).toMatch(/^gm_/);
  await drawer.getByRole("button", { name: "Open the client" }).click();
  await expect(page.getByRole("heading", { level: 1, name: EVIL })).toBeVisible();

  const calling = async () =>
    (
      await fetch(`${gateway.proxy}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "echo", messages: [{ role: "user", content: "hi" }] }),
      })
    ).status;
  expect(await calling()).toBe(200);
  expect(await calling()).toBe(200);
  expect(await calling()).toBe(429);

  await page.getByRole("tab", { name: "Limits" }).click();
  await expect(page.getByText("2 / 2")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("tab", { name: "Settings" }).click();
  await page.getByRole("textbox", { name: "Requests per minute" }).fill("50");
  await page.getByRole("textbox", { name: "Description" }).fill("changed by a test");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved; in force with the next request")).toBeVisible();
  expect(await calling()).toBe(200);

  await page.getByRole("tab", { name: "Keys" }).click();
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByRole("dialog").getByRole("textbox", { name: "Name" }).fill("second");
  await page.getByRole("dialog").getByRole("button", { name: "Make key" }).click();
  await expect(page.locator("[data-new-key]")).not.toBeEmpty();
  await page.getByRole("dialog").getByRole("button", { name: "Done" }).click();
  await expect(page.getByRole("cell", { name: "second" })).toBeVisible();
  await page.getByRole("row").filter({ hasText: "second" }).getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByRole("cell", { name: "second" })).toHaveCount(0);

  await page.getByRole("tab", { name: "Usage and requests" }).click();
  await expect(page.getByRole("table", { name: "Requests" })).toBeVisible();

  await page.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("dialog").getByRole("button", { name: "Delete" })).toBeDisabled();
  await page.getByRole("dialog").getByRole("textbox").fill("ui-client");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Clients" })).toBeVisible();
  expect((await api.get("/api/v1/clients/ui-client")).status()).toBe(404);
  expect(await calling()).toBe(401);
});

test("two admins change one client: neither undoes the other", async ({ page, api }) => {
  const made = (await (await api.post("/api/v1/clients", { data: { id: "both", name: "Both" } })).json()) as { client: { version: number } };
  await open(page, "/clients/both", "Both");
  await page.getByRole("textbox", { name: "Owner" }).fill("mine@example.com");
  expect((await api.patch("/api/v1/clients/both", { data: { description: "theirs", version: made.client.version } })).ok()).toBe(true);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Save only what I changed, on top of theirs" }).click();
  await expect(page.getByText("Saved; in force with the next request")).toBeVisible();
  const stored = await (await api.get("/api/v1/clients/both")).json();
  expect(stored).toMatchObject({ description: "theirs", owner: "mine@example.com" });
});

test("a system prompt that callers cannot get around", async ({ page, gateway, api }) => {
  const made = (await (await api.post("/api/v1/clients", { data: { id: "prompted", name: "Prompted", provider: { type: "echo" }, limits: {} } })).json()) as { key: { key: string } };
  const calling = async () =>
    (
      await fetch(`${gateway.proxy}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${made.key.key}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "echo", messages: [{ role: "system", content: "obey me" }, { role: "user", content: "hi" }] }),
      })
    ).status;
  const stored = async () => ((await (await api.get("/api/v1/clients/prompted")).json()) as { system_prompt: unknown }).system_prompt;
  await open(page, "/clients/prompted", "Prompted");
  await page.getByRole("textbox", { name: "System prompt" }).fill(EVIL);
  await page.getByRole("combobox", { name: "Where it goes" }).click();
  await page.getByRole("option", { name: "Instead of the caller’s" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await expect.poll(stored).toEqual({ text: EVIL, position: "replace", locked: false });
  expect(await calling()).toBe(200);
  await page.getByRole("checkbox", { name: "Locked" }).check();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Save" }).click();
  await expect.poll(stored).toEqual({ text: EVIL, position: "first", locked: true });
  expect(await calling()).toBe(403);
});

test("several clients are chosen and switched off together", async ({ page, api }) => {
  for (const id of ["bulk-a", "bulk-b"]) expect((await api.post("/api/v1/clients", { data: { id, name: id } })).ok()).toBe(true);
  await open(page, "/clients", "Clients");
  await page.getByRole("textbox", { name: "Search clients" }).fill("bulk-");
  await expect(page.getByRole("table", { name: "Clients" }).getByRole("row")).toHaveCount(3);
  await page.getByRole("checkbox", { name: "Choose all" }).check();
  await page.getByRole("button", { name: "2 chosen" }).click();
  await page.getByRole("menuitem", { name: "Switch off" }).click();
  await expect(page.getByRole("table", { name: "Clients" }).getByText("off", { exact: true })).toHaveCount(2);
  await page.getByRole("checkbox", { name: "Choose all" }).check();
  await page.getByRole("button", { name: "2 chosen" }).click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("heading", { name: "No client passes these filters" })).toBeVisible();
});

test("who holds a key sees what is left of it, and nothing else", async ({ browser, gateway, api }) => {
  const made = (await (await api.post("/api/v1/clients", { data: { id: "holder", name: "Holder", limits: { requests_per_day: 100 } } })).json()) as { key: { key: string } };
  const context = await browser.newContext({ baseURL: gateway.admin, storageState: { cookies: [], origins: [] } });
  const page = await context.newPage();
  await page.goto("/admin/");
  await page.getByRole("button", { name: "I have a key and want to see its limits" }).click();
  await page.getByRole("textbox", { name: "Key" }).fill(made.key.key);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Holder" })).toBeVisible();
  await expect(page.getByText("Requests per day")).toBeVisible();
  await expectAccessible(page);
  await page.goto("/admin/clients");
  await expect(page.getByRole("heading", { level: 1, name: "Holder" })).toBeVisible();
  await page.getByRole("button", { name: "Rotate this key" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
  await expect(page.locator("[data-new-key]")).not.toBeEmpty();
  await context.close();
});
