"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const { names, sizes, examples, points } = data;
const canvas = document.querySelector("canvas"), pen = canvas.getContext("2d");
const tip = document.getElementById("tip"), list = document.querySelector("aside");
const dark = matchMedia("(prefers-color-scheme: dark)");
const hue = g => (g * 137.508) % 360;
const colour = (g, a = 1) => names[g]
  ? `hsl(${hue(g)} ${58 + (g % 3) * 12}% ${dark.matches ? 66 : 44 + (g % 2) * 8}% / ${a})`
  : `hsl(0 0% 55% / ${a})`;
let chosen = -1, wanted = "", near = -1, zoom = 1, left = 0, top_ = 0, side = 1, ratio = 1;
const at = p => [left + zoom * side * (p[0] + 1) / 2, top_ + zoom * side * (1 - p[1]) / 2];
const centres = names.map(() => [0, 0, 0]);
const middle = numbers => numbers.sort((a, b) => a - b)[numbers.length >> 1];
names.forEach((_, g) => {
  const own = points.filter(p => p[2] === g);
  if (own.length) centres[g] = [middle(own.map(p => p[0])), middle(own.map(p => p[1])), own.length];
});
const lit = (p, number) =>
  (chosen < 0 || p[2] === chosen) && (!wanted || texts[number].includes(wanted));
const texts = points.map(p => (p[4] + " " + p[3] + " " + names[p[2]]).toLowerCase());

function fit() {
  const box = canvas.getBoundingClientRect();
  ratio = devicePixelRatio || 1;
  canvas.width = box.width * ratio; canvas.height = box.height * ratio;
  side = Math.min(box.width, box.height) - 60;
  zoom = 1; left = (box.width - side) / 2; top_ = (box.height - side) / 2;
  draw();
}

function draw() {
  const box = canvas.getBoundingClientRect();
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, box.width, box.height);
  const size = Math.max(1.6, Math.min(5, 70 / Math.sqrt(points.length))) * Math.sqrt(zoom) * 1.6;
  for (const bright of [false, true]) points.forEach((p, number) => {
    if (lit(p, number) !== bright) return;
    const [x, y] = at(p);
    pen.fillStyle = colour(p[2], bright ? .8 : .1);
    pen.beginPath(); pen.arc(x, y, number === near ? size * 1.9 : size, 0, 7); pen.fill();
  });
  label(box);
}

function label(box) {
  const taken = [];
  pen.textAlign = "center"; pen.textBaseline = "middle"; pen.lineWidth = 4; pen.lineJoin = "round";
  const style = getComputedStyle(document.body);
  centres.forEach((centre, g) => {
    if (!names[g] || !centre[2] || (chosen >= 0 && g !== chosen)) return;
    pen.font = `600 ${Math.min(17, 10 + Math.sqrt(centre[2]) / 2)}px system-ui, sans-serif`;
    const [x, y] = at(centre), half = pen.measureText(names[g]).width / 2 + 3;
    if (x < 0 || y < 0 || x > box.width || y > box.height) return;
    if (taken.some(t => Math.abs(t[0] - x) < t[2] + half && Math.abs(t[1] - y) < 17)) return;
    taken.push([x, y, half]);
    pen.strokeStyle = style.backgroundColor; pen.strokeText(names[g], x, y);
    pen.fillStyle = style.color; pen.fillText(names[g], x, y);
  });
}

function hover(event) {
  const box = canvas.getBoundingClientRect();
  const mx = event.clientX - box.left, my = event.clientY - box.top;
  let best = 144, found = -1;
  points.forEach((p, number) => {
    if (!lit(p, number)) return;
    const [x, y] = at(p), away = (x - mx) ** 2 + (y - my) ** 2;
    if (away < best) { best = away; found = number; }
  });
  if (found !== near) { near = found; draw(); }
  tip.style.display = found < 0 ? "none" : "block";
  if (found < 0) return;
  const p = points[found], more = document.createElement("small");
  more.textContent = [p[3], names[p[2]] || "various"].join(" · ");
  tip.replaceChildren(p[4] || "no title", more);
  const flip = mx > box.width / 2;
  tip.style.left = flip ? "auto" : mx + 14 + "px";
  tip.style.right = flip ? box.width - mx + 14 + "px" : "auto";
  tip.style.top = Math.min(my + 14, box.height - 70) + "px";
}

names.forEach((name, g) => {
  const button = document.createElement("button"), dot = document.createElement("i");
  const bold = document.createElement("b"), count = document.createElement("span");
  const small = document.createElement("small");
  dot.style.background = colour(g); bold.textContent = name || "(various)";
  count.textContent = sizes[g].toLocaleString("en"); small.textContent = examples[g];
  button.append(dot, bold, count, small); button.title = examples[g];
  button.setAttribute("aria-pressed", "false");
  button.onclick = () => {
    chosen = chosen === g ? -1 : g;
    [...list.children].forEach((b, n) => b.setAttribute("aria-pressed", String(n === chosen)));
    draw();
  };
  list.append(button);
});
let grip = null;
canvas.onpointerdown = e => {
  grip = [e.clientX, e.clientY];
  canvas.setPointerCapture(e.pointerId);
};
canvas.onpointerup = () => { grip = null; };
canvas.onpointermove = e => {
  if (!grip) return hover(e);
  left += e.clientX - grip[0]; top_ += e.clientY - grip[1];
  grip = [e.clientX, e.clientY]; draw();
};
canvas.onpointerleave = () => { near = -1; tip.style.display = "none"; draw(); };
canvas.addEventListener("wheel", e => {
  e.preventDefault();
  const box = canvas.getBoundingClientRect(), by = Math.exp(-e.deltaY / 500);
  const x = e.clientX - box.left, y = e.clientY - box.top;
  const next = Math.min(20, Math.max(.5, zoom * by));
  left = x - (x - left) * next / zoom; top_ = y - (y - top_) * next / zoom; zoom = next; draw();
}, { passive: false });
canvas.ondblclick = fit;
document.querySelector("input").oninput = e => { wanted = e.target.value.toLowerCase(); draw(); };
addEventListener("resize", fit); dark.addEventListener("change", draw); fit();
