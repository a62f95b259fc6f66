"use strict";
// Draws each <figure data-chart> from the JSON inside it: intervals, curves or bars.

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
const percent = share => `${Math.round(share * 100)}%`;
const signed = (value, digits) => (value > 0 ? "+" : "") + value.toFixed(digits);

function font(size, weight = 400) {
  return `${weight} ${size * uPlot.pxRatio}px ${getComputedStyle(document.body).fontFamily}`;
}

function axis(more) {
  const grid = { stroke: colour("line"), width: 1 };
  const size = `12px ${getComputedStyle(document.body).fontFamily}`;
  return { stroke: colour("muted"), font: size, grid, ticks: { show: false }, ...more };
}

function shortened(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let kept = text;
  while (kept && pen.measureText(`${kept}…`).width > width) kept = kept.slice(0, -1);
  return `${kept}…`;
}

// A dot with its 95 % interval for each row; a value outside of the scale becomes an arrow.
function intervals(figure, data) {
  const { rows, low, high } = data;
  const width = figure.clientWidth, labels = Math.min(150, width * .42);
  const digits = high - low < .02 ? 4 : 2;
  const label = value => !value ? "0" : data.signed ? signed(value, digits) : value.toFixed(digits);
  const tip = document.createElement("div");
  tip.className = "tip";
  figure.append(tip);
  return new uPlot({
    width, height: rows.length * 24 + 40, padding: [4, 24, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, ori: 1, dir: -1, range: [-.5, rows.length - .5] },
      y: { ori: 0, dir: 1, range: [low, high] },
    },
    axes: [
      axis({ side: 3, size: labels, values: (_, found) => found.map(() => ""), grid: { show: false } }),
      axis({ side: 2, size: 30, space: 48, values: (_, found) => found.map(label) }),
    ],
    series: [{}, { paths: () => null, points: { show: false } }],
    hooks: {
      draw: [plot => {
        if (data.signed) zero(plot);
        rows.forEach((row, place) => drawInterval(plot, data, row, place, labels));
      }],
      setCursor: [plot => {
        const row = plot.cursor.idx == null ? null : rows[plot.cursor.idx];
        const ends = row && [row.value, row.low, row.high].map(value => value.toFixed(4));
        tip.textContent = row ? `${row.name}: ${ends[0]} (${ends[1]} to ${ends[2]})` : "";
      }],
    },
  }, [rows.map((_, place) => place), rows.map(row => row.value)], figure);
}

function zero(plot) {
  const pen = plot.ctx, x = plot.valToPos(0, "y", true), { top, height } = plot.bbox;
  pen.strokeStyle = colour("muted");
  pen.lineWidth = uPlot.pxRatio;
  pen.beginPath(); pen.moveTo(x, top); pen.lineTo(x, top + height); pen.stroke();
}

function drawInterval(plot, data, row, place, labels) {
  const pen = plot.ctx, ratio = uPlot.pxRatio, ours = row.state === "ours";
  const y = plot.valToPos(place, "x", true);
  const at = value => plot.valToPos(Math.min(Math.max(value, data.low), data.high), "y", true);
  pen.save();
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  pen.font = font(12, ours ? 600 : 400);
  pen.fillStyle = colour(ours ? "ours" : "ink");
  const name = shortened(pen, row.name, (labels - 12) * ratio);
  pen.fillText(name, plot.bbox.left - 10 * ratio, y);
  pen.strokeStyle = pen.fillStyle = colour(row.state);
  pen.lineWidth = 2.4 * ratio;
  if (row.value >= data.low && row.value <= data.high) {
    pen.beginPath(); pen.moveTo(at(row.low), y); pen.lineTo(at(row.high), y); pen.stroke();
    pen.beginPath(); pen.arc(at(row.value), y, 4.5 * ratio, 0, 7); pen.fill();
  } else {
    arrow(plot, row.value, at(row.value), y);
  }
  pen.restore();
}

function arrow(plot, value, edge, y) {
  const pen = plot.ctx, ratio = uPlot.pxRatio, side = value > 0 ? ratio : -ratio;
  pen.beginPath();
  pen.moveTo(edge + 8 * side, y);
  pen.lineTo(edge - side, y - 5 * ratio); pen.lineTo(edge - side, y + 5 * ratio);
  pen.fill();
  pen.font = font(11);
  pen.textAlign = value > 0 ? "right" : "left";
  pen.fillText(signed(value, 3), edge - 6 * side, y);
}

// One line for each name over 1, 2, 3, ...; the legend shows the end, or what the pointer is on.
function curves(figure, data) {
  const steps = data.lines[0].values.length;
  const plot = new uPlot({
    width: figure.clientWidth, height: 300,
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { x: { time: false, range: [1, steps] }, y: { range: [0, 1] } },
    axes: [axis({ incrs: [1, 2], size: 30 }), axis({ values: (_, found) => found.map(percent) })],
    series: [{ label: data.unit }, ...data.lines.map((line, number) => ({
      label: line.name, class: line.emphasised ? "emphasised" : undefined,
      stroke: colour(`series-${number % 9}`), width: line.emphasised ? 3 : 1.6,
      points: { show: false }, value: (_, share) => share == null ? "" : percent(share),
    }))],
    hooks: {
      setCursor: [plot => plot.cursor.idx == null && plot.setLegend({ idx: steps - 1 })],
    },
  }, [data.lines[0].values.map((_, step) => step + 1), ...data.lines.map(line => line.values)],
  figure);
  plot.setLegend({ idx: steps - 1 });
  return plot;
}

// Bars side by side in each group, one for each name; values are shares.
function bars(figure, data) {
  const width = figure.clientWidth, narrow = width < 560, thick = .78 / data.bars.length;
  const palette = ["catalogue", "series-0", "series-1"];
  const most = Math.max(...data.bars.flatMap(bar => bar.values), .01);
  return new uPlot({
    width, height: 320, padding: [18, 0, narrow ? 24 : 0, 0],
    cursor: { show: false }, legend: { live: false },
    scales: { x: { time: false, range: [-.5, data.groups.length - .5] }, y: { range: [0, most] } },
    axes: [
      axis({
        splits: data.groups.map((_, group) => group), values: () => data.groups,
        rotate: narrow ? -45 : 0, size: narrow ? 60 : 30, grid: { show: false }, space: 1,
      }),
      axis({ values: (_, found) => found.map(percent) }),
    ],
    series: [{}, ...data.bars.map((bar, number) => ({
      label: bar.name, fill: colour(palette[number]), stroke: colour(palette[number]),
      paths: () => null, points: { show: false },
    }))],
    hooks: {
      draw: [plot => data.bars.forEach((bar, number) => bar.values.forEach((share, group) => {
        const start = group - .39 + thick * number;
        drawBar(plot, start, start + thick, share, palette[number]);
      }))],
    },
  }, [data.groups.map((_, group) => group), ...data.bars.map(bar => bar.values)], figure);
}

function drawBar(plot, start, end, share, name) {
  const pen = plot.ctx, ratio = uPlot.pxRatio;
  const left = plot.valToPos(start, "x", true), right = plot.valToPos(end, "x", true) - 2 * ratio;
  const top = plot.valToPos(share, "y", true), bottom = plot.valToPos(0, "y", true);
  pen.save();
  pen.fillStyle = colour(name);
  pen.fillRect(left, top, right - left, bottom - top);
  if (right - left > 24 * ratio) {
    pen.fillStyle = colour("muted");
    pen.font = font(11);
    pen.textAlign = "center";
    pen.fillText(share < .005 ? "0" : percent(share), (left + right) / 2, top - 5 * ratio);
  }
  pen.restore();
}

const kinds = { intervals, curves, bars };
const figures = [...document.querySelectorAll("figure[data-chart]")].map(figure => ({
  figure, width: 0, plot: null, draw: kinds[figure.dataset.chart],
  data: JSON.parse(figure.querySelector("script").textContent),
}));

function redraw(one) {
  one.plot?.destroy();
  one.figure.querySelector(".tip")?.remove();
  one.width = one.figure.clientWidth;
  one.plot = one.width ? one.draw(one.figure, one.data) : null;
}

const watcher = new ResizeObserver(entries => entries.forEach(entry => {
  const one = figures.find(found => found.figure === entry.target);
  if (one.width !== one.figure.clientWidth) redraw(one);
}));
figures.forEach(one => { redraw(one); watcher.observe(one.figure); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => figures.forEach(redraw));
