"use strict";
(() => {
  const tool = document.getElementById("tool");
  const name = document.getElementById("name");
  const bad = document.getElementById("bad");
  const rows = [...document.querySelectorAll("tbody tr")];
  const show = () => {
    const wanted = name.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = (!tool.value || row.dataset.tools.split("|").includes(tool.value))
        && row.querySelector("b").textContent.toLowerCase().includes(wanted)
        && (!bad.checked || row.dataset.bad === "1");
      row.hidden = !fits;
      shown += fits;
    }
    document.getElementById("shown").textContent = `${shown} of ${rows.length}`;
  };
  for (const control of [tool, name, bad]) control.addEventListener("input", show);
  document.querySelector("form").addEventListener("submit", event => event.preventDefault());
  show();
})();
