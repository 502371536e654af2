import { expect, expectAccessible, open, OWNER, test } from "./fixtures";
import { startGateway } from "./gateway";

test.describe("signing in", () => {
  test.use({ storageState: { cookies: [], origins: [] } });

  test("a wrong password is refused, the right one opens the page that was asked for", async ({ page }) => {
    await page.goto("/admin/requests");
    await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await expectAccessible(page);
    await page.getByRole("textbox", { name: "Name" }).fill(OWNER.name);
    await page.getByRole("textbox", { name: "Password", exact: true }).fill("not this one");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText(/wrong/i);
    await page.getByRole("textbox", { name: "Password", exact: true }).fill(OWNER.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { name: "Requests", exact: true })).toBeVisible();
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  });
});

test("a viewer looks, and is told what it takes to do more", async ({ browser, api, gateway }) => {
  const viewer = { name: "vera", password: "a viewer's password" };
  const made = await api.post("/api/v1/members", { data: { ...viewer, role: "viewer" } });
  expect(made.ok(), await made.text()).toBe(true);
  const context = await browser.newContext({ baseURL: gateway.admin, storageState: { cookies: [], origins: [] } });
  const page = await context.newPage();
  await page.goto("/admin/");
  await page.getByRole("textbox", { name: "Name" }).fill(viewer.name);
  await page.getByRole("textbox", { name: "Password", exact: true }).fill(viewer.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Audit" })).toHaveCount(0);
  await page.goto("/admin/audit");
  await expect(page.getByRole("heading", { name: "Your role does not reach this" })).toBeVisible();
  await page.goto("/admin/resources/routes");
  await expect(page.getByRole("heading", { name: "Routes", level: 1 })).toBeVisible();
  await expect(page.getByRole("link", { name: "Create" })).toHaveCount(0);
  await context.close();
});

test("the first run makes an owner, once", async ({ browser }) => {
  const gateway = await startGateway();
  const context = await browser.newContext({ baseURL: gateway.admin, storageState: { cookies: [], origins: [] } });
  const page = await context.newPage();
  await page.goto(`/admin/setup?token=${gateway.setupToken}`);
  await expect(page.getByRole("heading", { name: "Set up this gateway" })).toBeVisible();
  await page.getByRole("textbox", { name: "Name" }).fill("grace");
  await page.getByRole("textbox", { name: "Password", exact: true }).fill("short");
  await page.getByRole("textbox", { name: "Password again" }).fill("other");
  await expect(page.getByText("is not the same")).toBeVisible();
  await page.getByRole("textbox", { name: "Password again" }).fill("short");
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByText(/at least|too short|12/i).last()).toBeVisible();
  await page.getByRole("textbox", { name: "Password", exact: true }).fill("long enough, surely");
  await page.getByRole("textbox", { name: "Password again" }).fill("long enough, surely");
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("button", { name: "Add provider" })).toBeVisible();
  const again = await context.request.post("/api/v1/setup", { data: { token: gateway.setupToken, name: "eve", password: "long enough, surely" } });
  expect(again.ok()).toBe(false);
  await context.close();
  await gateway.stop();
});

test("members and tokens: added, changed, removed; a token is shown once", async ({ page }) => {
  await open(page, "/members", "Members and roles");
  await page.getByRole("button", { name: "Add member" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Name" }).fill("linus");
  await dialog.getByRole("textbox", { name: "Password" }).fill("short");
  await dialog.getByRole("button", { name: "Add member" }).click();
  await expect(dialog.getByText(/characters|short/i).last()).toBeVisible();
  await dialog.getByRole("textbox", { name: "Password" }).fill("twelve characters");
  await dialog.getByRole("button", { name: "Add member" }).click();
  await expect(page.getByRole("cell", { name: "linus", exact: true })).toBeVisible();
  await page.getByRole("combobox", { name: "Role of linus", exact: true }).click();
  await page.getByRole("option", { name: "Admin" }).click();
  await expect(page.getByText("Role changed")).toBeVisible();
  await page.getByRole("button", { name: "Remove linus" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(page.getByRole("cell", { name: "linus", exact: true })).toHaveCount(0);
  await page.getByRole("tab", { name: "Tokens" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("deploy");
  await page.getByRole("button", { name: "Make token" }).click();
  await expect(page.locator("[data-new-key]")).not.toBeEmpty();
  await page.getByRole("button", { name: "Revoke deploy" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByRole("cell", { name: "deploy", exact: true })).toHaveCount(0);
  await page.getByRole("tab", { name: "Sessions" }).click();
  await expect(page.getByText("this one")).toBeVisible();
});
