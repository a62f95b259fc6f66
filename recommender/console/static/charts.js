"use strict";
// Draws each <figure data-trend>: one line over the builds of a shop.

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const shown = share => value => share ? `${(value * 100).toFixed(1)}%` : value.toLocaleString("en");

function drawn(figure) {
  const { builds, values, share } = JSON.parse(figure.dataset.trend);
  const place = figure.querySelector(".plot");
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: colour("muted"), font, ticks: { show: false }, grid: { stroke: colour("line"), width: 1 } };
  const known = values.filter(value => value !== null);
  const low = Math.min(...known), high = Math.max(...known), room = (high - low || Math.abs(high) || 1) * .15;
  return new uPlot({
    width: place.clientWidth, height: 130, padding: [6, 12, 0, 0],
    legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } },
    scales: { x: { time: false }, y: { range: [Math.max(0, low - room), share ? Math.min(1, high + room) : high + room] } },
    axes: [
      { ...axis, size: 24, incrs: [1, 2, 5, 10, 20, 50, 100], values: (_, found) => found.map(one => Number.isInteger(one) ? one : "") },
      { ...axis, size: 52, space: 34, values: (_, found) => found.map(shown(share)) },
    ],
    series: [{}, { stroke: colour("series-0"), width: 2, points: { show: true, size: 5, fill: colour("paper") } }],
  }, [builds, values], place);
}

const plots = new Map();
function draw() {
  for (const figure of document.querySelectorAll("figure[data-trend]")) {
    plots.get(figure)?.destroy();
    plots.set(figure, drawn(figure));
  }
}
draw();
let width = innerWidth;
addEventListener("resize", () => { if (width !== innerWidth) { width = innerWidth; draw(); } });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
document.addEventListener("htmx:afterSwap", draw);
