// Dark or light: as the system is, unless the URL or an earlier choice says otherwise.
const NAME = "otel-modeldata-studio-theme";
const THEMES = ["light", "dark"];
const dark = window.matchMedia("(prefers-color-scheme: dark)");

const kept = () => {
  try {
    return window.localStorage.getItem(NAME);
  } catch {
    return null; // the browser keeps nothing
  }
};

/** The theme that is shown. */
export const shownTheme = () => document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");

/** Show the theme of the URL, else the one that was chosen before, else that of the system. */
export function applyTheme(chosen) {
  const theme = THEMES.includes(chosen) ? chosen : kept();
  if (THEMES.includes(theme)) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** Keep a choice for the next time. */
export function keepTheme(theme) {
  try {
    window.localStorage.setItem(NAME, theme);
  } catch {
    // it is for this page only
  }
}

/** Colors for a canvas, which has no style sheet. */
export function colors() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["page", "panel", "line", "text", "soft", "window", "baseline", "alarm", "good"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}
