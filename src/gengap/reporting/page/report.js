"use strict";
/* The page works without this script; with it, tables sort, the theme can be chosen and the learning curves answer. */

(function theme() {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const label = () => { button.textContent = isDark() ? button.dataset.light : button.dataset.dark; };
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; label(); });
  system.addEventListener("change", label);
  button.hidden = false;
  label();
})();

(function printing() {
  // paper opens nothing: what is folded on the screen is unfolded for it, and folded again afterwards
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
})();

(function sorting() {
  const valueOf = (cell) => {
    if (cell.dataset.value === undefined) return cell.textContent.trim();
    return cell.dataset.value === "" || cell.dataset.value === "nan" ? null : Number(cell.dataset.value);
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row.cells[column]), row]);
        rows.sort(([a], [b]) => {
          if (a === null || b === null) return (a === null) - (b === null); // what is missing stays last
          return (up ? 1 : -1) * compare(a, b);
        });
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }
})();

(function curves() {
  const view = document.getElementById("curves-view");
  if (!view) return;
  const data = JSON.parse(document.getElementById("curves-data").textContent);
  const form = view.querySelector("form");
  const chart = view.querySelector(".chart");
  const slider = view.querySelector("[name=epoch]");
  const boxes = [...view.querySelectorAll("[name=variant]")];
  const rows = [...view.querySelectorAll(".readout tbody tr")];
  let before = null; // how values were read before the pointer came
  const SPACE = { left: 52, right: 14, top: 28, bottom: 40 };

  const element = (name, attributes, parent) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  };
  const chosen = () => boxes.flatMap((box, index) => (box.checked ? [index] : []));
  const quantity = () => data.quantities[Number(form.elements.quantity.value)];
  const splits = () => {
    const wanted = form.elements.split.value;
    const all = wanted === "both" ? ["training", "heldout"] : [wanted];
    const there = all.filter((split) => quantity()[split].length);
    return there.length ? there : ["training", "heldout"].filter((split) => quantity()[split].length);
  };
  const known = (value) => value !== null && value !== undefined;

  function steps(low, high, count) {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) found.push(k * step);
    return { step, found };
  }

  function range() {
    let low = Infinity;
    let high = -Infinity;
    const take = (value) => {
      if (known(value)) { low = Math.min(low, value); high = Math.max(high, value); }
    };
    for (const split of splits()) {
      for (const index of chosen()) {
        const curve = quantity()[split][index];
        curve.mean.forEach(take);
        curve.low.forEach(take);
        curve.high.forEach(take);
        if (form.elements.seeds.checked) curve.seeds.forEach((seed) => seed.forEach(take));
      }
    }
    if (low > high) return [0, 1];
    const room = (high - low || Math.abs(high) || 1) * 0.04;
    return [low - room, high + room];
  }

  function outline(values, x, y) {
    let path = "";
    let pen = "M";
    values.forEach((value, at) => {
      if (!known(value)) { pen = "M"; return; }
      path += `${pen}${x(at).toFixed(1)},${y(value).toFixed(1)}`;
      pen = "L";
    });
    return path;
  }

  function ribbon(curve, x, y) {
    const at = curve.low.flatMap((value, index) => (known(value) && known(curve.high[index]) ? [index] : []));
    if (at.length < 2) return "";
    const over = at.map((index) => `${x(index).toFixed(1)},${y(curve.high[index]).toFixed(1)}`);
    const under = at.reverse().map((index) => `${x(index).toFixed(1)},${y(curve.low[index]).toFixed(1)}`);
    return `M${over.join("L")}L${under.join("L")}Z`;
  }

  function draw() {
    const width = chart.clientWidth;
    const height = chart.clientHeight;
    chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
    chart.replaceChildren();
    const [low, high] = range();
    const last = Math.max(data.epochs.length - 1, 1);
    const x = (at) => SPACE.left + (width - SPACE.left - SPACE.right) * (at / last);
    const y = (value) => height - SPACE.bottom - (height - SPACE.top - SPACE.bottom) * ((value - low) / (high - low));

    const levels = steps(low, high, height / 55);
    const decimals = Math.max(0, -Math.floor(Math.log10(levels.step) + 1e-9));
    for (const level of levels.found) {
      element("line", { class: "grid", x1: SPACE.left, x2: width - SPACE.right, y1: y(level), y2: y(level) }, chart);
      const text = element("text", { x: SPACE.left - 8, y: y(level) + 4, "text-anchor": "end" }, chart);
      text.textContent = level.toFixed(Math.min(decimals, 6)).replace("-", "\u2212");
    }
    const stride = Math.max(1, Math.ceil(steps(0, last + 1, width / 60).step));
    data.epochs.forEach((epoch, at) => {
      if (epoch !== 1 && epoch % stride) return;
      if (epoch === 1 && stride > 1 && x(stride - 1) - x(0) < 30) return;
      const text = element("text", { x: x(at), y: height - SPACE.bottom + 20, "text-anchor": "middle" }, chart);
      text.textContent = epoch;
    });
    const name = element("text", { x: (SPACE.left + width - SPACE.right) / 2, y: height - 2, "text-anchor": "middle" }, chart);
    name.textContent = view.dataset.epoch;
    const unit = element("text", { x: 0, y: 10, class: "unit" }, chart);
    unit.textContent = quantity().label;

    for (const split of splits()) {
      for (const index of chosen()) {
        const curve = quantity()[split][index];
        const look = `v${index % 7} d${(index + Math.floor(index / 7)) % 7} ${split}`;
        const group = element("g", { class: look, "data-variant": index, "data-split": split }, chart);
        element("path", { class: "band", d: ribbon(curve, x, y) }, group);
        if (form.elements.seeds.checked) {
          curve.seeds.forEach((seed) => element("path", { class: "seed", d: outline(seed, x, y) }, group));
        }
        element("path", { class: "mean", d: outline(curve.mean, x, y) }, group);
      }
    }
    mark(x, y, height);
    chart.onpointermove = chart.onpointerdown = (event) => {
      before ??= form.elements.read.value;
      const inside = event.clientX - chart.getBoundingClientRect().left - SPACE.left;
      const at = Math.round((inside / (width - SPACE.left - SPACE.right)) * last);
      slider.value = Math.min(Math.max(at, 0), data.epochs.length - 1) + 1;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    };
    chart.onpointerleave = () => {
      if (before === null) return;
      form.elements.read.value = before; // what the pointer showed ends with it
      before = null;
      draw();
    };
    read();
  }

  function mark(x, y, height) {
    const rule = form.elements.read.value;
    const at = Number(slider.value) - 1;
    if (rule === "epoch") {
      const line = { class: "cursor", x1: x(at), x2: x(at), y1: SPACE.top, y2: height - SPACE.bottom };
      element("line", line, chart);
    }
    for (const split of rule === "epoch" ? splits() : splits().slice(-1)) {
      for (const index of chosen()) {
        const curve = quantity()[split][index];
        const group = element("g", { class: `v${index % 7}` }, chart);
        const dot = (epoch, value, kind) => {
          if (known(value)) element("circle", { class: kind, cx: x(epoch), cy: y(value), r: 3.5 }, group);
        };
        if (rule === "epoch") { dot(at, curve.mean[at], "mean"); continue; }
        const epochs = (data[rule][index] || []).map((epoch) => epoch - 1);
        epochs.forEach((epoch, seed) => { if (epoch >= 0) dot(epoch, curve.seeds[seed][epoch], "run"); });
      }
    }
  }

  const shown = (mean, low, high) => {
    if (!known(mean)) return "\u2013";
    const half = known(low) ? (high - low) / 2 : Math.abs(mean) / 100;
    const decimals = half > 0 ? Math.min(Math.max(1 - Math.floor(Math.log10(half)), 0), 6) : 4;
    const write = (value) => value.toFixed(decimals).replace("-", "\u2212");
    return known(low) ? `${write(mean)} [${write(low)}, ${write(high)}]` : write(mean);
  };

  function read() {
    const rule = form.elements.read.value;
    const at = Number(slider.value) - 1;
    view.dataset.show = splits().length > 1 ? "both" : splits()[0];
    view.querySelector("output").textContent = slider.value;
    view.querySelector(".slider").classList.toggle("idle", rule !== "epoch");
    rows.forEach((row, index) => {
      row.classList.toggle("off", !boxes[index].checked);
      row.cells[1].textContent = rule === "epoch" ? slider.value : data.epoch_at[rule][index];
      ["heldout", "training"].forEach((split, column) => {
        const curve = quantity()[split][index];
        const cell = row.cells[2 + column];
        if (!curve) { cell.textContent = "\u2013"; return; }
        cell.textContent = rule === "epoch"
          ? shown(curve.mean[at], curve.low[at], curve.high[at])
          : shown(...curve.at[rule]);
      });
    });
  }

  slider.addEventListener("input", () => {
    form.elements.read.value = "epoch";
    draw();
  });
  form.addEventListener("change", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  boxes.forEach((box) => box.addEventListener("change", draw));
  new ResizeObserver(draw).observe(chart);
})();

(function stopping() {
  const view = document.getElementById("stopping-view");
  if (!view) return;
  const data = JSON.parse(document.getElementById("stopping-data").textContent);
  const form = view.querySelector("form");
  const rows = [...view.querySelectorAll("tbody tr")];
  const names = rows.map((row) => row.cells[0].textContent.trim());
  const decimals = Number(view.dataset.decimals);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const write = (value, digits) => (Number.isNaN(value) ? "\u2013" : value.toFixed(digits).replace("-", "\u2212"));

  /* Keras' EarlyStopping: at which epoch a run stops, and which was the best until then */
  function rule(curve, patience, least) {
    const trained = curve.filter((value) => value !== null);
    let reference = Infinity;
    let waited = 0;
    let stop = trained.length;
    for (let at = 0; at < trained.length; at += 1) {
      if (trained[at] + least < reference) {
        reference = trained[at];
        waited = 0;
      } else {
        waited += 1;
        if (waited >= patience) { stop = at + 1; break; }
      }
    }
    const kept = trained.slice(0, stop);
    return { stop, best: stop ? kept.indexOf(Math.min(...kept)) : -1, trained: trained.length };
  }

  function spread(values) {
    if (!values.length) return { mean: Infinity, text: "\u2013" };
    const centre = mean(values);
    if (values.length < 2) return { mean: centre, text: write(centre, decimals) };
    const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
    return { mean: centre, text: `${write(centre, decimals)} \u00b1 ${write(sd, decimals)}` };
  }

  function update() {
    const patience = Math.max(1, Math.round(Number(form.elements.patience.value)) || 1);
    const least = Math.max(0, Number(form.elements.min_delta.value) || 0);
    const found = data.map((variant) => {
      const rules = variant.chosen_on.map((curve) => rule(curve, patience, least));
      const read = rules.map((one, seed) => (one.best < 0 ? null : (variant.read ?? variant.chosen_on)[seed][one.best]));
      return {
        ...spread(read.filter((value) => value !== null)),
        stops: mean(rules.filter((one) => one.trained).map((one) => one.stop)),
        saved: 100 * mean(rules.filter((one) => one.trained).map((one) => 1 - one.stop / one.trained)),
      };
    });
    rows.forEach((row, index) => {
      const one = found[index];
      const score = row.querySelector("[data-way=stopped]");
      const put = (cell, text, value) => {
        cell.textContent = text;
        cell.dataset.value = Number.isFinite(value) ? value : "";
      };
      put(score, one.text, one.mean);
      put(row.querySelector("[data-way=stops]"), write(one.stops, 1), one.stops);
      put(row.querySelector("[data-way=saved]"), Number.isNaN(one.saved) ? "\u2013" : `${write(one.saved, 0)} %`, one.saved);
    });
    if (rows.length === 1) return;
    const lowest = (way) => {
      const means = rows.map((row) => Number(row.querySelector(`[data-way=${way}]`).dataset.value || Infinity));
      return names[means.indexOf(Math.min(...means))];
    };
    const said = { last: lowest("last"), best: lowest("best"), stopped: lowest("stopped") };
    view.querySelector(".lowest").textContent = view.dataset.lowest.replace(/\{(\w+)\}/g, (_, way) => said[way]);
  }

  form.hidden = false;
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
})();
