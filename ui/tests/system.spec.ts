import { expect, expectAccessible, open, test } from "./fixtures";

test("settings tell values and where they come from, and are found by name", async ({ page }) => {
  await open(page, "/settings", "Settings");
  await expect(page.getByRole("table", { name: "Effective values" }).getByText("command line").first()).toBeVisible();
  await page.getByRole("textbox", { name: "Find a setting" }).fill("no such setting");
  await expect(page.getByRole("heading", { name: "No setting has that name" })).toBeVisible();
  await page.getByRole("textbox", { name: "Find a setting" }).fill("");
  await page.getByRole("button", { name: "Parts of this dashboard" }).click();
  await expect(page.getByRole("table", { name: "Licences of the dashboard's parts" })).toBeVisible();
  await expectAccessible(page);
});

test("raw configuration: checked with its lines, applied, compared, brought back", async ({ page, api }) => {
  await open(page, "/configuration", "Raw configuration");
  const editor = page.getByRole("textbox", { name: "Configuration as YAML" });
  await expect(editor).toContainText("demo");
  const before = ((await (await api.get("/api/v1/config")).json()) as { yaml: string }).yaml;
  await editor.fill(`${before}\nservices: [}\n`);
  await page.getByRole("button", { name: "Validate" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "wrong; nothing was changed" })).toBeVisible();
  await expect(page.locator(".cm-lint-marker-error")).toBeVisible();
  await editor.fill(`${before}\nservices:\n  - id: by-yaml\n    desc: by yaml\n`);
  await page.getByRole("button", { name: "Validate" }).click();
  await expect(page.getByRole("status").filter({ hasText: "services/by-yaml" })).toBeVisible();
  await page.getByText(/^Difference/).click();
  await expect(page.getByRole("region", { name: "Difference to what is in force" }).getByText("by-yaml")).toBeVisible();
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Apply" }).click();
  await expect.poll(async () => (await api.get("/api/v1/resources/services/by-yaml")).status()).toBe(200);
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByRole("button", { name: /^Compare revision/ }).and(page.locator(":enabled")).first().click();
  await page.getByRole("button", { name: "Restore this revision" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restore", exact: true }).click();
  await expect.poll(async () => (await api.get("/api/v1/resources/services/by-yaml")).status()).toBe(404);
});

test("the match tester says which route takes a request", async ({ page, api }) => {
  expect((await api.put("/api/v1/resources/routes/matched", { data: { value: { uri: "/matched", methods: ["POST"], plugins: { mocking: { response_example: "x" } } } } })).ok()).toBe(true);
  await open(page, "/resources/match", "Match tester");
  await page.getByRole("textbox", { name: "Path" }).fill("no slash");
  await expect(page.getByText("must start with /")).toBeVisible();
  await page.getByRole("textbox", { name: "Path" }).fill("/matched");
  await page.getByRole("button", { name: "Find the route" }).click();
  await expect(page.getByText("A route takes it")).toBeVisible();
  await expect(page.getByRole("table", { name: "Plugins that would run" }).getByText("mocking")).toBeVisible();
  await page.getByRole("textbox", { name: "Path" }).fill("/nowhere-at-all");
  await page.getByRole("button", { name: "Find the route" }).click();
  await expect(page.getByText("No route takes it")).toBeVisible();
  expect((await api.delete("/api/v1/resources/routes/matched")).ok()).toBe(true);
});

test("the cache is flushed only after a question", async ({ page }) => {
  await open(page, "/cache", "Cache");
  await expect(page.getByRole("heading", { name: "The cache is not in use" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Flush" })).toBeDisabled();
});
