// The switch between the light and the dark theme. Without a choice, the system decides.

import { buttonOf } from "./dom.js";
import { icon } from "./icons.js";

const KEY = "featviz-theme"; // in local storage: one choice for all galleries of an origin

const root = document.documentElement;

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches);

/** The stored choice; null without one, or where storage is not available. */
function storedTheme() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function switchTheme() {
  const theme = isDark() ? "light" : "dark";
  const isDefault = (theme === "dark") === systemIsDark.matches;
  if (isDefault) delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    if (isDefault) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // without storage, the choice lasts as long as the page
  }
}

/** Apply the stored choice, and add the button to the page. */
export function initTheme() {
  const stored = storedTheme();
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;
  const button = buttonOf(
    icon("theme"),
    "plain theme",
    () => {
      switchTheme();
      show();
    },
    { "aria-label": "Dark theme", title: "Light or dark theme" },
  );
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  systemIsDark.addEventListener("change", show);
  show();
  document.body.append(button);
}
