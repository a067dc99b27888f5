"use strict";
(() => {
  const buttons = [...document.querySelectorAll("nav button")];
  const search = document.querySelector("nav input");
  const cases = [...document.querySelectorAll(".case")];
  let verdict = "";
  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let any = false;
    for (const one of cases) {
      const text = one.textContent.toLowerCase();
      one.hidden = (verdict && one.dataset.verdict !== verdict) || !words.every((word) => text.includes(word));
      any ||= !one.hidden;
    }
    for (const section of document.querySelectorAll("main section")) {
      const inside = [...section.querySelectorAll(".case")];
      section.hidden = inside.length > 0 && inside.every((one) => one.hidden);
    }
    document.getElementById("none").hidden = any || cases.length === 0;
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      verdict = button.dataset.verdict;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      show();
    });
  }
  search.addEventListener("input", show);
  const open = () => {
    const named = location.hash && document.getElementById(location.hash.slice(1));
    if (named && "open" in named) named.open = true;
  };
  window.addEventListener("hashchange", open);
  open();
})();
