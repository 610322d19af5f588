// Suggests account names while one is typed.
"use strict";

for (const input of document.querySelectorAll("[data-suggests]")) {
  const list = document.getElementById(input.dataset.suggests);
  let latest = 0;
  let timer = 0;
  const look = async () => {
    const mine = ++latest;
    try {
      const answer = await fetch(`${list.dataset.url}?q=${encodeURIComponent(input.value)}`);
      const { names } = await answer.json();
      if (mine !== latest) return;
      list.replaceChildren(...names.map((name) => {
        const option = document.createElement("option");
        option.value = name;
        return option;
      }));
    } catch {
      // Without suggestions the name is typed out.
    }
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, 200);
  });
}
