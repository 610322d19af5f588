// Choosing rows of a table: click, Shift and Ctrl, keyboard, context menu (CON-1).
// The check-boxes are what is sent; everything here moves only them.
"use strict";

const table = document.querySelector("[data-chooses]");
if (table) {
  const form = table.closest("form");
  const rows = [...table.querySelectorAll("[data-row]")];
  const boxes = rows.map((row) => row.querySelector("input[name=ids]"));
  const all = table.querySelector("[data-all]");
  const everything = form.querySelector("[name=everything]");
  const banner = form.querySelector("[data-everything]");
  const words = form.querySelector("[data-chosen]");
  const menu = document.getElementById("row-menu");
  let anchor = 0;
  let active = 0;
  let total = null;

  table.setAttribute("role", "grid");
  table.setAttribute("aria-multiselectable", "true");
  all.hidden = false;
  rows.forEach((row, place) => { row.tabIndex = place === 0 ? 0 : -1; });

  // ---------------------------------------------------------------- what is chosen
  const chosen = () => boxes.filter((box) => box.checked).length;
  const count = () => (everything.checked && total !== null ? total : chosen());

  function show() {
    rows.forEach((row, place) => row.setAttribute("aria-selected", String(boxes[place].checked)));
    const number = chosen();
    all.checked = number === boxes.length;
    all.indeterminate = number > 0 && number < boxes.length;
    if (number < boxes.length) everything.checked = false;
    const hasOthers = Boolean(document.querySelector(".pager"));
    banner.hidden = !(hasOthers && number === boxes.length);
    if (!banner.hidden) ask();
    words.textContent = number ? `${count().toLocaleString()} chosen` : "";
    for (const button of form.querySelectorAll("[data-needs]")) {
      const needs = Number(button.dataset.needs);
      button.disabled = needs === 2 ? count() !== 2 : number < 1;
    }
  }

  async function ask() {
    if (total !== null) return;
    try {
      const answer = await fetch(form.dataset.count);
      total = (await answer.json()).count;
      form.querySelector("[data-everything-words]").textContent =
        `Choose all ${total.toLocaleString()} that match, on every page`;
      show();
    } catch {
      // The box works without the number.
    }
  }

  function range(from, to, value = true) {
    const [low, high] = from < to ? [from, to] : [to, from];
    boxes.forEach((box, place) => { if (place >= low && place <= high) box.checked = value; });
  }

  function only(place) {
    boxes.forEach((box, other) => { box.checked = other === place; });
  }

  function focus(place) {
    rows[active].tabIndex = -1;
    active = Math.max(0, Math.min(rows.length - 1, place));
    rows[active].tabIndex = 0;
    rows[active].focus();
  }

  // ---------------------------------------------------------------- mouse and touch
  let pointer = "mouse";
  table.addEventListener("pointerdown", (event) => { pointer = event.pointerType; });
  table.addEventListener("mousedown", (event) => {
    // A range is no selection of text.
    if (event.shiftKey && event.target.closest("[data-row]")) event.preventDefault();
  });
  table.addEventListener("click", (event) => {
    const row = event.target.closest("[data-row]");
    if (!row || event.target.closest("a")) return;
    const place = rows.indexOf(row);
    const box = boxes[place];
    const isBox = event.target === box;
    if (event.shiftKey) {
      if (!isBox && !event.ctrlKey && !event.metaKey) only(-1);
      range(anchor, place);
    } else {
      if (!isBox) {
        if (event.ctrlKey || event.metaKey || pointer === "touch" || event.target.closest(".box")) box.checked = !box.checked;
        else only(place);
      }
      anchor = place;
    }
    if (!isBox) focus(place);
    show();
  });
  table.addEventListener("dblclick", (event) => {
    const row = event.target.closest("[data-row]");
    if (row && !event.target.closest("a, input")) row.querySelector("a")?.click();
  });
  all.addEventListener("change", () => {
    range(0, boxes.length - 1, all.checked);
    show();
  });
  everything.addEventListener("change", show);

  // ---------------------------------------------------------------- keyboard
  table.addEventListener("keydown", (event) => {
    const row = event.target.closest("[data-row]");
    if (!row || event.target.closest("a")) return;
    const isRow = event.target === row;
    const steps = { ArrowDown: 1, ArrowUp: -1, Home: -rows.length, End: rows.length };
    if (event.key in steps) {
      event.preventDefault();
      active = rows.indexOf(row);
      focus(active + steps[event.key]);
      if (event.shiftKey) {
        only(-1);
        range(anchor, active);
      } else if (!event.ctrlKey && !event.metaKey) {
        anchor = active;
      }
    } else if (event.key === " " && isRow) {
      event.preventDefault();
      boxes[active].checked = !boxes[active].checked;
      anchor = active;
    } else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      range(0, boxes.length - 1);
    } else if (event.key === "Escape") {
      only(-1);
      everything.checked = false;
    } else if (event.key === "Enter" && isRow) {
      event.preventDefault();
      row.querySelector("a")?.click();
      return;
    } else {
      return;
    }
    show();
  });
  table.addEventListener("focusin", (event) => {
    const row = event.target.closest("[data-row]");
    if (row) active = rows.indexOf(row);
  });

  // ---------------------------------------------------------------- context menu
  const entries = () => [...menu.querySelectorAll("[data-does]:not(:disabled)")];
  const button = (act) => form.querySelector(`[data-act="${act}"]`);

  function openMenu(x, y) {
    for (const entry of menu.querySelectorAll("[data-does]")) {
      const act = entry.dataset.does;
      entry.disabled = act === "open" ? chosen() !== 1 : button(act).disabled;
    }
    menu.hidden = false;
    menu.style.left = `${Math.max(8, Math.min(x, innerWidth - menu.offsetWidth - 8))}px`;
    menu.style.top = `${Math.max(8, Math.min(y, innerHeight - menu.offsetHeight - 8))}px`;
    entries()[0]?.focus();
  }
  function closeMenu(back = true) {
    if (menu.hidden) return;
    menu.hidden = true;
    if (back) rows[active].focus();
  }
  table.addEventListener("contextmenu", (event) => {
    const row = event.target.closest("[data-row]");
    if (!row || event.target.closest("a")) return;
    event.preventDefault();
    const place = rows.indexOf(row);
    if (!boxes[place].checked) {
      only(place);
      anchor = place;
      show();
    }
    active = place;
    const box = row.getBoundingClientRect();
    const isKey = event.clientX === 0 && event.clientY === 0;
    openMenu(isKey ? box.left + 40 : event.clientX, isKey ? box.bottom : event.clientY);
  });
  menu.addEventListener("keydown", (event) => {
    const found = entries();
    const place = found.indexOf(document.activeElement);
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      closeMenu();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      found[(place + step + found.length) % found.length]?.focus();
    }
  });
  menu.addEventListener("click", (event) => {
    const entry = event.target.closest("[data-does]");
    if (!entry) return;
    closeMenu(false);
    if (entry.dataset.does === "open") rows[active].querySelector("a")?.click();
    else button(entry.dataset.does).click();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!menu.contains(event.target)) closeMenu(false);
  });
  document.addEventListener("scroll", () => closeMenu(false), { passive: true });

  addEventListener("pageshow", show);
  show();
}
