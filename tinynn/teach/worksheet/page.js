// The page: what is known when the cursor stands at a number, and how it moves.
const data = JSON.parse(document.getElementById("data").textContent);
const { steps, lines, cells, weights, maps } = data;
const $ = (id) => document.getElementById(id);
const SPANS = { "\ue000": "</span>", "\ue001": '<span class="v">', "\ue002": '<span class="g">', "\ue003": '<span class="t">' };
// The cursor: 0 is before the first number, k means that the first k numbers are known.
let cursor = 0;
let known = 0; // one less than that at a blank of the quiz
const starts = steps.map((_, k) => (k === 0 ? 0 : lines.findIndex((line) => line.step === k) + 1));

function show(place) {
  cursor = Math.max(0, Math.min(lines.length, place, firstOpen()));
  known = isOpen(cursor) ? cursor - 1 : cursor;
  const line = cursor ? lines[cursor - 1] : null;
  const number = line ? line.step : 0;
  draw(line);
  write(line, steps[number], number);
  list(number);
  for (const button of $("phases").querySelectorAll("[data-phase]")) {
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
      const value = cell[name][row] || cell[name][0], text = box.querySelector("text." + name);
      if (text) text.textContent = value && value[1] <= known ? value[0] : "";
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
    const value = Object.values(cells[thumb.dataset.box].v)[0];
    thumb.style.display = value && value[1] <= known ? "" : "none";
  }
  label(line, lit, back);
  const target = line && $((line.on && line.on[0]) || lit[0]), frame = $("scroll");
  if (target) {
    const a = target.getBoundingClientRect(), b = frame.getBoundingClientRect();
    frame.scrollLeft += a.left + a.width / 2 - b.left - b.width / 2;
  } else frame.scrollLeft = 0;
  cue();
}

// Where the drawing goes on, a button says so.
function cue() {
  const frame = $("scroll"), left = frame.scrollLeft;
  $("more-left").hidden = left < 2;
  $("more-right").hidden = left + frame.clientWidth > frame.scrollWidth - 2;
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
    let text = at !== undefined && at <= known ? after : before;
    if (line.target === "edge" && line.val && !isOpen(cursor)) text = line.kind === "g" ? String(Number(Number(line.val).toPrecision(4))) : text;
    const wide = 7.4 * text.length + 6;
    $("labels").append(shape("rect", { x: x - wide / 2, y: y - 10, width: wide, height: 18, rx: 4 }),
      shape("text", { x, y: y + 4, class: line.target === "edge" && back ? "g" : "" }, text));
  }
}

function write(line, step, number) {
  const all = data.all;
  $("count").textContent = (line
    ? `step ${step.number} of ${all}, number ${cursor} of ${lines.length}`
    : `${all} steps, ${lines.length} numbers; nothing is computed yet`) + score();
  $("head").textContent = step.head;
  $("note").textContent = step.note ? `“${step.note}”` : "";
  const law = line ? step.laws[line.law] : null;
  $("law").replaceChildren();
  if (law) {
    $("law").append(make("div", {}, law.law), make("div", { class: "soft" }, law.shapes));
    if (law.sum) $("law").append(make("div", { class: "soft" }, law.sum));
    if (law.corner) $("law").append(make("pre", {}, law.corner));
  }
  const blank = isOpen(cursor);
  $("picture").replaceChildren(...(line && line.pic && !blank ? picture(line.pic) : []));
  $("formula").replaceChildren();
  $("remark").textContent = "";
  if (!line) {
    $("remark").textContent = "Press “next”, or the key →. The list shows the numbers that are given.";
    return;
  }
  const rows = [[line.left, line.sym, ""]];
  if (!blank || !data.small) rows.push(["", line.num, ""]);
  if (!blank) rows.push(["", line.mid, ""], ["", line.val, "result " + line.kind]);
  for (const [left, right, kind] of rows) {
    if (right === undefined && !left) continue;
    const dd = make("dd", { class: kind });
    // The sign goes with the first term, also where lines break. (All is escaped where it was written.)
    const text = (right === undefined ? "" : right).replace(/[\ue000-\ue003]/g, (sign) => SPANS[sign]);
    dd.innerHTML = ("= " + text).replace('= <span class="t">', '<span class="t">= ');
    $("formula").append(make("dt", {}, left), dd);
  }
  if (blank) {
    $("formula").append(make("dt"), make("dd", {}, form(cursor)));
    return;
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
      const value = make("span", { class: "hole " + line.kind }, k < known && line.val !== undefined ? line.val : "");
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
