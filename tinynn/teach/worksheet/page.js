// The page: what is known when the cursor stands at a number, and how it moves.
const data = JSON.parse(document.getElementById("data").textContent);
const { steps, lines, cells, weights, maps } = data;
const $ = (id) => document.getElementById(id);
const SPANS = { "\ue000": "</span>", "\ue001": '<span class="v">', "\ue002": '<span class="g">', "\ue003": '<span class="t">' };
// The cursor: 0 is before the first number, k means that the first k numbers are known.
let cursor = 0;
const starts = steps.map((_, k) => (k === 0 ? 0 : lines.findIndex((line) => line.step === k) + 1));

function show(place) {
  cursor = Math.max(0, Math.min(lines.length, place));
  const line = cursor ? lines[cursor - 1] : null;
  const number = line ? line.step : 0;
  draw(line);
  write(line, steps[number], number);
  list(number);
  for (const button of $("phases").querySelectorAll("button")) {
    button.toggleAttribute("aria-current", button.dataset.phase === steps[number].phase);
  }
  for (const id of ["first", "stepback", "back"]) $(id).disabled = cursor === 0;
  for (const id of ["next", "stepon", "last"]) $(id).disabled = cursor === lines.length;
}

function draw(line) {
  const row = (line && line.row) || 0;
  for (const [id, cell] of Object.entries(cells)) {
    const box = $(id);
    for (const name of Object.keys(cell)) {
      const known = cell[name][row] || cell[name][0], text = box.querySelector("text." + name);
      if (text) text.textContent = known && known[1] <= cursor ? known[0] : "";
    }
    for (const span of box.querySelectorAll(".row")) span.textContent = row;
    box.classList.toggle("on", Boolean(line && line.on && line.on.includes(id)));
  }
  if (data.rows > 1) $("rows").textContent = ` The boxes show row ${row} of ${data.rows} (from 0).`;
  const lit = (line && line.edges) || [], back = Boolean(line && line.kind === "g");
  for (const edge of document.querySelectorAll(".edge")) {
    edge.classList.toggle("on", lit.includes(edge.id));
    edge.classList.toggle("back", lit.includes(edge.id) && back);
  }
  for (const thumb of document.querySelectorAll(".thumb")) {
    const known = Object.values(cells[thumb.dataset.box].v)[0];
    thumb.style.display = known && known[1] <= cursor ? "" : "none";
  }
  label(line, lit, back);
  const target = line && $((line.on && line.on[0]) || lit[0]), frame = $("scroll");
  if (target) {
    const a = target.getBoundingClientRect(), b = frame.getBoundingClientRect();
    frame.scrollLeft += a.left + a.width / 2 - b.left - b.width / 2;
  } else frame.scrollLeft = 0;
}

// The weights on the arrows that are lit, near the ends where these lie apart.
function label(line, lit, back) {
  $("labels").replaceChildren();
  for (const id of lit) {
    if (!(id in weights)) continue;
    const edge = $(id), [before, after, at] = weights[id];
    const share = line.target === "edge" ? 0.5 : back ? 0.66 : 0.34;
    const [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map((name) => Number(edge.getAttribute(name)));
    const x = x1 + share * (x2 - x1), y = y1 + share * (y2 - y1);
    let text = at !== undefined && at <= cursor ? after : before;
    if (line.target === "edge" && line.val) text = line.kind === "g" ? String(Number(Number(line.val).toPrecision(4))) : text;
    const wide = 7.4 * text.length + 6;
    $("labels").append(shape("rect", { x: x - wide / 2, y: y - 10, width: wide, height: 18, rx: 4 }),
      shape("text", { x, y: y + 4, class: line.target === "edge" && back ? "g" : "" }, text));
  }
}

function write(line, step, number) {
  const all = data.all;
  $("count").textContent = line
    ? `step ${step.number} of ${all}, number ${cursor} of ${lines.length}`
    : `${all} steps, ${lines.length} numbers; nothing is computed yet`;
  $("head").textContent = step.head;
  $("note").textContent = step.note ? `“${step.note}”` : "";
  const law = line ? step.laws[line.law] : null;
  $("law").replaceChildren();
  if (law) {
    $("law").append(make("div", {}, law.law), make("div", { class: "soft" }, law.shapes));
    if (law.sum) $("law").append(make("div", { class: "soft" }, law.sum));
    if (law.corner) $("law").append(make("pre", {}, law.corner));
  }
  $("picture").replaceChildren(...(line && line.pic ? picture(line.pic) : []));
  $("formula").replaceChildren();
  $("remark").textContent = "";
  if (!line) {
    $("remark").textContent = "Go on with “next” or the key →. What is given stands beside, or below.";
    return;
  }
  const rows = [[line.left, line.sym, ""], ["", line.num, ""], ["", line.mid, ""], ["", line.val, "result " + line.kind]];
  for (const [left, right, kind] of rows) {
    if (right === undefined && !left) continue;
    const dd = make("dd", { class: kind });
    // The sign goes with the first term, also where lines break. (All is escaped where it was written.)
    const text = (right === undefined ? "" : right).replace(/[\ue000-\ue003]/g, (sign) => SPANS[sign]);
    dd.innerHTML = ("= " + text).replace('= <span class="t">', '<span class="t">= ');
    $("formula").append(make("dt", {}, left), dd);
  }
  if (line.nudge) $("remark").textContent = "nudged: " + line.nudge;
  if (line.note) $("remark").textContent += (line.nudge ? " — " : "") + line.note;
}

function list(number) {
  const body = $("values");
  body.replaceChildren();
  steps[number].laws.forEach((law, which) => {
    body.append(make("tr", {}, make("th", { scope: "colgroup" }, law.law)));
    if (number === 0 && law.sum) body.append(make("tr", {}, make("td", {}, make("div", { class: "soft" }, law.sum))));
    for (const [name, value] of law.all) {
      const row = make("div", { class: "row" }, name, make("span", { class: "v" }, value));
      body.append(make("tr", {}, make("td", {}, row)));
    }
    lines.forEach((line, k) => {
      if (line.step !== number || line.law !== which) return;
      const known = k < cursor && line.val !== undefined;
      const value = make("span", { class: "hole " + line.kind }, known ? line.val : "");
      const button = make("button", { type: "button" }, line.left, value);
      if (k + 1 === cursor) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => show(k + 1));
      body.append(make("tr", {}, make("td", {}, button)));
    });
  });
  const current = body.querySelector("[aria-current]"), panel = $("panel");
  const middle = (one) => one.getBoundingClientRect().top + one.getBoundingClientRect().height / 2;
  panel.scrollTop += current ? middle(current) - middle(panel) : -panel.scrollTop;
}

const step = () => (cursor ? lines[cursor - 1].step : 0);
const moves = {
  first: () => show(0),
  last: () => show(lines.length),
  next: () => show(cursor + 1),
  back: () => show(cursor - 1),
  stepon: () => show(step() + 1 < steps.length ? starts[step() + 1] : lines.length),
  stepback: () => show(cursor > starts[step()] ? starts[step()] : starts[Math.max(0, step() - 1)]),
};
for (const [id, move] of Object.entries(moves)) $(id).addEventListener("click", move);
for (const phase of new Set(steps.map((one) => one.phase))) {
  const button = make("button", { type: "button", "data-phase": phase }, phase);
  button.addEventListener("click", () => show(starts[steps.findIndex((one) => one.phase === phase)]));
  $("phases").append(make("li", {}, button));
}
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const name = { ArrowRight: event.shiftKey ? "stepon" : "next", ArrowLeft: event.shiftKey ? "stepback" : "back",
    Home: "first", End: "last" }[event.key];
  if (!name) return;
  event.preventDefault();
  moves[name]();
});
// step.html#step-3 opens at that step's first number, step.html#number-7 at the seventh number.
function address() {
  const [, kind, number] = /^#(step|number)-(\d+)$/.exec(location.hash) || [];
  const place = steps.findIndex((one) => one.number === Number(number));
  if (kind === "number") show(Number(number));
  else show(kind && place >= 0 ? starts[place] : 0);
}
for (const thumb of document.querySelectorAll(".thumb")) {
  thumb.setAttribute("href", painted(maps[thumb.dataset.map]).toDataURL());
}
window.addEventListener("hashchange", address);
address();
