import { expect, expectAccessible, open, test } from "./fixtures";

const PAGES: [string, string | RegExp][] = [
  ["/", "Overview"],
  ["/connect", "Connect"],
  ["/clients", "Clients"],
  ["/limits", "Limits and budgets"],
  ["/members", "Members and roles"],
  ["/providers", "Providers"],
  ["/providers/new", "Add a provider"],
  ["/models", "Models"],
  ["/models/new", "Add a model"],
  ["/resources/routes", "Routes"],
  ["/resources/routes/new", "New: route"],
  ["/resources/plugins", "Plugins"],
  ["/requests", "Requests"],
  ["/usage", "Usage and cost"],
  ["/audit", "Audit"],
  ["/playground", "Playground"],
  ["/cache", "Cache"],
  ["/settings", "Settings"],
];

for (const [path, title] of PAGES) {
  test(`${path} is accessible in light and dark, and fits a phone`, async ({ page }) => {
    await open(page, path, title);
    for (const scheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", scheme);
      await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
      await expectAccessible(page);
    }
    await page.setViewportSize({ width: 320, height: 700 });
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  });
}

test("every page of the menu opens by its link", async ({ page }) => {
  await open(page, "/", "Overview");
  const names = await page.getByRole("navigation", { name: "Main" }).getByRole("link").allTextContents();
  expect(names.length).toBeGreaterThan(12);
  for (const name of names) {
    const link = page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true });
    await link.click();
    await expect(link).toHaveAttribute("aria-current", "page");
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(page.getByText("Something went wrong in this page")).toHaveCount(0);
  }
});

test("the search finds pages by keyboard", async ({ page }) => {
  await open(page, "/", "Overview");
  await page.keyboard.press("Control+k");
  await page.getByPlaceholder("Page, client").fill("usage");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Usage and cost" })).toBeVisible();
});

test("the time range goes along from page to page", async ({ page }) => {
  await open(page, "/usage", "Usage and cost");
  await page.getByRole("button", { name: /^Time range/ }).click();
  await page.getByRole("button", { name: "Last 7 days" }).click();
  await expect(page).toHaveURL(/range=7d/);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Requests" }).click();
  await expect(page).toHaveURL(/requests\?range=7d/);
});

test("colours can be switched", async ({ page }) => {
  await open(page, "/", "Overview");
  await page.getByRole("button", { name: "Use dark colours" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", "dark");
  await page.getByRole("button", { name: "Use light colours" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", "light");
});
