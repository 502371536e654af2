import { execFileSync } from "node:child_process";

import { call, expect, expectAccessible, open, test } from "./fixtures";

test("what is to be pasted into a shell answers when it runs there", async ({ page, gateway }) => {
  await open(page, "/connect?client=demo", "Connect");
  const pasted = page.getByLabel("What to paste");
  await page.getByRole("textbox", { name: "Key" }).fill(gateway.key);
  await page.getByRole("combobox", { name: "Model" }).fill("echo");
  for (const tool of ["curl", "curl, as Anthropic"]) {
    await page.getByRole("combobox", { name: "Tool" }).click();
    await page.getByRole("option", { name: tool, exact: true }).click();
    const text = ((await pasted.textContent()) ?? "").replace(/http:\/\/[^/ ]+/, gateway.proxy);
    expect(text).toContain(gateway.key);
    const answer = execFileSync("bash", ["-c", `${text} -sS --fail-with-body`], { encoding: "utf8" });
    expect(answer).toContain("Hello");
  }
  await expectAccessible(page);
});

test("every tool has something to paste, with a hostile model quoted", async ({ page }) => {
  await open(page, "/connect", "Connect");
  const model = `x'; touch /tmp/never; echo '"`;
  await page.getByRole("combobox", { name: "Model" }).fill(model);
  await page.keyboard.press("Escape");
  const tools = page.getByRole("combobox", { name: "Tool" });
  await tools.click();
  const names = await page.getByRole("option").allTextContents();
  expect(names.length).toBeGreaterThan(10);
  await page.keyboard.press("Escape");
  for (const name of names) {
    await tools.click();
    await page.getByRole("option", { name, exact: true }).click();
    const text = (await page.getByLabel("What to paste").textContent()) ?? "";
    expect(text, name).not.toContain(model);
    expect(text, name).toContain("touch");
  }
  await expect(page.getByRole("button", { name: "Test it" })).toBeDisabled();
});

test("a client's own page connects it, and tells who changed it", async ({ page, api, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  expect((await api.post("/api/v1/clients", { data: { id: "connected", name: "Connected", provider: { type: "echo" }, default_model: "echo" } })).ok()).toBe(true);
  await open(page, "/clients/connected?tab=connect", "Connected");
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("/v1/chat/completions");
  await expect(page.getByRole("table", { name: "Base URLs" }).getByText("Gemini")).toBeVisible();
  await page.getByRole("button", { name: "Test it" }).click();
  await expect(page.getByText("It works")).toBeVisible();
  await page.getByRole("tab", { name: "Audit" }).click();
  await page.getByRole("button", { name: /consumers\/connected/ }).first().click();
  await expect(page.getByText("Connected").last()).toBeVisible();
  await expectAccessible(page);
});

test("limits: the fullest first, found by whose they are", async ({ page, api, gateway }) => {
  const made = (await (
    await api.post("/api/v1/clients", { data: { id: "full", name: "Full", provider: { type: "echo" }, limits: { requests_per_day: 1 } } })
  ).json()) as { key: { key: string } };
  expect(await call({ ...gateway, key: made.key.key }, {})).toBe(200);
  expect(await call({ ...gateway, key: made.key.key }, {})).toBe(429);
  await open(page, "/limits", "Limits and budgets");
  const table = page.getByRole("table", { name: "Limits" });
  await page.getByRole("textbox", { name: "Search limits" }).fill("full");
  await expect(table.getByRole("row").nth(1)).toContainText("used up");
  await page.getByText("Groups", { exact: true }).click();
  await expect(page.getByRole("heading", { name: "No limit passes these filters" })).toBeVisible();
  await page.getByText("Clients", { exact: true }).last().click();
  await table.getByRole("link", { name: "full" }).click();
  await expect(page.getByText("1 / 1")).toBeVisible();
  await page.getByRole("button", { name: "Reset Requests per day" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Reset" }).click();
  await expect(page.getByText("Counter set to zero")).toBeVisible();
  expect(await call({ ...gateway, key: made.key.key }, {})).toBe(200);
});

test("limits of groups and routes start over, too", async ({ page, api }) => {
  expect((await api.put("/api/v1/groups/limited-team", { data: { limits: { requests_per_day: 7 } } })).ok()).toBe(true);
  const route = { uri: "/limited-route", plugins: { "ai-limits": { requests_per_hour: 9 }, mocking: { response_status: 200, response_example: "ok" } } };
  expect((await api.put("/api/v1/resources/routes/limited-route", { data: { value: route } })).ok()).toBe(true);
  await open(page, "/limits", "Limits and budgets");
  await page.getByRole("textbox", { name: "Search limits" }).fill("limited-");
  for (const name of ["Reset Requests per day of limited-team", "Reset Requests per hour of limited-route"]) {
    await page.getByRole("button", { name }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Reset" }).click();
    await expect(page.getByText("Counter set to zero").last()).toBeVisible();
    await expect(page.getByRole("dialog")).toHaveCount(0);
  }
  const audit = (await (await api.get("/api/v1/audit")).json()) as { items: { key: string; action: string }[] };
  const keys = audit.items.filter((entry) => entry.action === "reset-limit").map((entry) => entry.key);
  expect(keys).toContain("/consumer_groups/limited-team/limits/requests_per_day");
  expect(keys).toContain("/routes/limited-route/limits/requests_per_hour");
});

test("clients get and lose a tag together; the search finds what there is and what there is to do", async ({ page, api }) => {
  for (const id of ["tag-a", "tag-b"]) expect((await api.post("/api/v1/clients", { data: { id, name: id } })).ok()).toBe(true);
  expect((await api.post("/api/v1/providers", { data: { id: "found-provider", type: "echo" } })).ok()).toBe(true);
  await open(page, "/clients", "Clients");
  await page.getByRole("textbox", { name: "Search clients" }).fill("tag-");
  const table = page.getByRole("table", { name: "Clients" });
  await expect(table.getByRole("row")).toHaveCount(3);
  for (const [item, button, shown] of [["Tag…", "Tag", 2], ["Take a tag away…", "Take away", 0]] as const) {
    await page.getByRole("checkbox", { name: "Choose all" }).check();
    await page.getByRole("button", { name: "2 chosen" }).click();
    await page.getByRole("menuitem", { name: item }).click();
    await page.getByRole("dialog").getByRole("textbox", { name: "Tag" }).fill("blue");
    await page.getByRole("dialog").getByRole("button", { name: button, exact: true }).click();
    await expect(table.getByText("blue", { exact: true })).toHaveCount(shown);
  }
  await page.keyboard.press("Control+k");
  await page.getByPlaceholder(/^Page, client/).fill("found-prov");
  await expect(page.getByText("Provider found-provider")).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "found-provider" })).toBeVisible();
  await page.keyboard.press("Control+k");
  await page.getByPlaceholder(/^Page, client/).fill("add a provider");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Add a provider" })).toBeVisible();
});
