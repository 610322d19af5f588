// The form of an activity shows what fits: no hours for a timeless one, no week days
// for what happens monthly. Without a script everything is shown.
"use strict";

for (const form of document.querySelectorAll("[data-activity-form]")) {
  const at = (name) => form.elements[name];
  const show = (selector, is) => {
    for (const part of form.querySelectorAll(selector)) part.hidden = !is;
  };
  const units = { DAILY: "day", WEEKLY: "week", MONTHLY: "month", YEARLY: "year" };

  const paint = () => {
    const isTodo = at("type").value === "todo";
    const freq = at("freq").value;
    const scope = form.querySelector("[data-scope]:checked")?.value;
    const isOne = scope === "one";
    show("[data-timed]", !at("timeless").checked);
    show("[data-has-end]", !isTodo);
    show("[data-rule]", !isOne);
    show("[data-if-one]", isOne);
    show("[data-not-one]", !isOne);
    show("[data-if-repeats]", freq in units);
    show("[data-if-weekly]", freq === "WEEKLY");
    show("[data-if-monthly]", freq === "MONTHLY");
    show("[data-if-custom]", freq === "custom");
    const many = Number(at("interval").value) > 1 ? "s" : "";
    for (const part of form.querySelectorAll("[data-unit]")) {
      part.textContent = (units[freq] || "") + many;
    }
  };

  // Moving the start moves the end along: the length stays.
  const read = (which) => {
    const day = at(`${which}_date`).value;
    const clock = at("timeless").checked ? "00:00" : at(`${which}_time`).value;
    const found = new Date(`${day}T${clock}:00Z`);
    return Number.isNaN(found.getTime()) ? null : found;
  };
  let start = read("start");
  const follow = () => {
    const now = read("start");
    const end = read("end");
    if (start && now && end) {
      const moved = new Date(end.getTime() + (now.getTime() - start.getTime()));
      at("end_date").value = moved.toISOString().slice(0, 10);
      if (!at("timeless").checked) at("end_time").value = moved.toISOString().slice(11, 16);
    }
    start = now || start;
  };
  for (const name of ["start_date", "start_time"]) at(name).addEventListener("change", follow);
  at("timeless").addEventListener("change", () => {
    if (!at("timeless").checked && !at("start_time").value) {
      at("start_time").value = "09:00";
      at("end_time").value = "10:00";
    }
    start = read("start");
  });
  at("type").addEventListener("change", () => {
    if (at("type").value === "todo" && !at("timeless").checked) {
      at("timeless").checked = true;
    }
  });
  for (const [name, choice] of [["until", "until"], ["count", "count"]]) {
    at(name).addEventListener("input", () => {
      form.querySelector(`[name=ends][value=${choice}]`).checked = true;
    });
  }
  form.addEventListener("change", paint);
  form.addEventListener("input", paint);
  paint();
}
