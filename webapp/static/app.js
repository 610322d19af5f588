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

// ---------------------------------------------------------------- consent in a window of its own
// The window with Google's pages comes back to this site in the end and finds there the
// dialog that asks for OK. If the page that opened it still waits, that page takes the
// dialog over; with a blocked pop-up, everything happens in the same window.
const consent = "BroadcastChannel" in window ? new BroadcastChannel("crm-sync-consent") : null;
let awaited = null;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.consent || event.defaultPrevented) return;
  const popup = window.open("", "crm-sync-consent", "popup,width=560,height=720");
  form.target = popup ? "crm-sync-consent" : "_self";
  awaited = popup ? form.dataset.consent : null;
});
consent?.addEventListener("message", (event) => {
  const { what, service, url } = event.data;
  if (what === "answered" && awaited === service) {
    awaited = null;
    consent.postMessage({ what: "taken", url });
    location.assign(url);
  } else if (what === "taken" && url === location.href) {
    window.close();
    const dialog = document.querySelector("[data-consent-dialog]");
    dialog?.close();
    const words = document.createElement("p");
    words.textContent = "Go on in the other window; this one can be closed.";
    document.querySelector("main")?.replaceChildren(words);
  }
});
const asked = document.querySelector("[data-consent-dialog]");
if (asked) {
  const service = asked.dataset.consentDialog;
  consent?.postMessage({ what: "answered", service, url: location.href });
}

// ---------------------------------------------------------------- waiting for a worker
const order = document.querySelector("[data-order]");
if (order) {
  const started = Date.now();
  const look = async () => {
    try {
      const answer = await fetch(order.dataset.order);
      const state = await answer.json();
      if (state.next) return location.replace(state.next);
      if (state.is_over || answer.status === 401) return location.reload();
      const label = order.querySelector(".work-label");
      if (label && state.state === "running") label.textContent = "Working";
      const late = order.querySelector("[data-late]");
      late.hidden = state.state !== "waiting" || Date.now() - started < 30000;
    } catch {
      // The server is restarting, or the network is away: the next look may do better.
    }
    setTimeout(look, Date.now() - started < 10000 ? 500 : 2000);
  };
  look();
}

// ---------------------------------------------------------------- parts that move
// A part marked data-live is fetched anew while the mark is on it.
async function refresh(part) {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(part.id);
    if (!fresh || part.contains(document.activeElement)) return;
    if (fresh.innerHTML !== part.innerHTML) part.innerHTML = fresh.innerHTML;
    if (!fresh.hasAttribute("data-live")) part.removeAttribute("data-live");
  } catch {
    // See above.
  }
}
for (const part of document.querySelectorAll("[data-live]")) {
  const timer = setInterval(() => {
    if (part.hasAttribute("data-live")) refresh(part);
    else clearInterval(timer);
  }, 3000);
}

// ---------------------------------------------------------------- the device's time zone
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
for (const button of document.querySelectorAll("[data-own-zone]")) {
  const select = document.getElementById(button.dataset.ownZone);
  button.hidden = !zone || ![...select.options].some((option) => option.value === zone);
  button.addEventListener("click", () => { select.value = zone; });
}
for (const input of document.querySelectorAll("input[data-zone]")) input.value = zone || "";

// ---------------------------------------------------------------- sign of life
const life = document.querySelector('meta[name="sign-of-life"]');
if (life) {
  fetch(life.content, { method: "POST", headers: { "X-CSRFToken": life.dataset.token } })
    .catch(() => {});
}
