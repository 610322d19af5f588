// Sync History: running cycles move.
"use strict";

const PAUSE = 2000;
const MOST_FAILURES = 5;

async function ask(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
}

function follow(step) {
  let failures = 0;
  const turn = async () => {
    if (document.visibilityState === "hidden") return setTimeout(turn, PAUSE);
    try {
      if (await step()) return undefined;
      failures = 0;
    } catch {
      failures += 1;
      if (failures >= MOST_FAILURES) return undefined;
    }
    return setTimeout(turn, PAUSE);
  };
  setTimeout(turn, PAUSE / 4);
}

function seconds(count) {
  if (count < 60) return `${Math.round(count)} s`;
  if (count < 3600) return `${Math.floor(count / 60)} min ${String(Math.round(count % 60)).padStart(2, "0")} s`;
  return `${Math.floor(count / 3600)} h ${String(Math.floor((count % 3600) / 60)).padStart(2, "0")} min`;
}

function words(cycle) {
  if (!cycle.total) return "Reading both sides…";
  const parts = [`${cycle.done.toLocaleString()} of ${cycle.total.toLocaleString()}`];
  if (cycle.rate) parts.push(`${cycle.rate.toLocaleString()} a second`);
  if (cycle.seconds_left !== null) parts.push(`about ${seconds(cycle.seconds_left)} left`);
  return parts.join(", ");
}

// ---------------------------------------------------------------- running cycles
const moving = [...document.querySelectorAll("[data-cycle]")];
const live = document.querySelector("[data-progress]")?.dataset.progress;
if (moving.length && live) {
  const ids = moving.map((place) => place.dataset.cycle).join(",");
  follow(async () => {
    const found = await ask(`${live}?ids=${encodeURIComponent(ids)}`);
    for (const cycle of found.cycles) {
      const place = moving.find((one) => one.dataset.cycle === cycle.id);
      if (cycle.state !== "running") {
        location.reload();
        return true;
      }
      const counts = place.querySelector("[data-counts], [data-progress-words]");
      if (counts) counts.textContent = words(cycle);
      const duration = place.querySelector("[data-duration]");
      if (duration) duration.textContent = seconds(cycle.seconds);
      const bar = place.querySelector("progress");
      if (bar && cycle.total) {
        bar.max = cycle.total;
        bar.value = cycle.done;
      }
    }
    return false;
  });
}
