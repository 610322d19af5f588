// CRM Sync's own script: menus, dialogs, the colour scheme, a sign of life.
// Every page works without it; what it adds is marked by data- attributes.
"use strict";

const root = document.documentElement;

// ---------------------------------------------------------------- menus
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) menu.open = false;
  }
}
document.addEventListener("click", (event) => {
  closeMenus(event.target.closest("details.menu"));
});
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (!menu) return;
  const entries = [...menu.querySelectorAll(".menu-sheet a, .menu-sheet button")];
  const place = entries.indexOf(document.activeElement);
  if (event.key === "Escape") {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    entries[(place + step + entries.length) % entries.length]?.focus();
  }
});
document.addEventListener("focusout", (event) => {
  const menu = event.target.closest("details.menu[open]");
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});

// ---------------------------------------------------------------- dialogs
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  const closer = event.target.closest("[data-closes]");
  if (closer) closer.closest("dialog")?.close();
  if (event.target instanceof HTMLDialogElement) {
    // The dialog itself is hit only outside of its content: on the backdrop.
    const box = event.target.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right &&
      event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) event.target.close();
  }
});
for (const dialog of document.querySelectorAll("dialog[data-open-now]")) dialog.showModal();

// ---------------------------------------------------------------- colours
const THEMES = { "": "as the system", light: "light", dark: "dark" };
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
function paint(theme) {
  const isDark = theme === "dark" || (theme === "" && systemIsDark.matches);
  root.dataset.bsTheme = isDark ? "dark" : "light";
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.title = `Colours: ${THEMES[theme]}`;
    button.setAttribute("aria-label", button.title);
  }
}
paint(root.dataset.theme || "");
systemIsDark.addEventListener("change", () => paint(root.dataset.theme || ""));
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-switch]")) return;
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(root.dataset.theme || "") + 1) % names.length];
  root.dataset.theme = next;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  const life = next ? 31536000 : 0;
  document.cookie = `theme=${next}; Path=/; Max-Age=${life}; SameSite=Lax${secure}`;
  paint(next);
});

// ---------------------------------------------------------------- forms
// A form that has been sent is not sent twice by an impatient second click.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 3000);
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// ---------------------------------------------------------------- sign of life
const life = document.querySelector('meta[name="sign-of-life"]');
if (life) {
  fetch(life.content, { method: "POST", headers: { "X-CSRFToken": life.dataset.token } })
    .catch(() => {});
}
