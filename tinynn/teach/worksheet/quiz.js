// The quiz: some numbers are blanks, which the cursor does not pass before they are filled in, or shown.
const quiz = { on: false, blanks: data.quiz, done: new Map() };  // done: place of a blank -> whether it was answered
const isOpen = (place) => quiz.on && quiz.blanks.some((one) => one.place === place) && !quiz.done.has(place);
const firstOpen = () => (quiz.blanks.find((one) => isOpen(one.place)) || { place: Infinity }).place;

function toggleQuiz() {
  quiz.on = !quiz.on;
  quiz.done.clear();
  $("quiz").setAttribute("aria-pressed", quiz.on);
  $("quiz").textContent = quiz.on ? "end the quiz" : "quiz";
  document.querySelector("#sheet").hidden = quiz.on; // it has all the numbers
  show(quiz.on ? firstOpen() : 0);
}

function score() {
  const right = [...quiz.done.values()].filter(Boolean).length, left = quiz.blanks.length - quiz.done.size;
  return quiz.on ? `; quiz: ${right} of ${quiz.blanks.length} right, ${left} left` : "";
}

// The place where an answer is written, and what is said to it.
function form(place) {
  const input = make("input", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": "your answer" });
  const said = make("p", { class: "soft", role: "status" });
  const check = make("button", { type: "submit" }, "check"), giveUp = make("button", { type: "button" }, "show it");
  const found = make("form", { id: "answer" }, "=", input, check, giveUp, said);
  found.addEventListener("submit", (event) => {
    event.preventDefault();
    const [verdict, why] = mark(input.value, quiz.blanks.find((one) => one.place === place));
    if (verdict !== "right") said.textContent = `${verdict}: ${why}`;
    else finish(place, true);
  });
  giveUp.addEventListener("click", () => finish(place, false));
  requestAnimationFrame(() => found.scrollIntoView({ block: "nearest" }));
  return found;
}

function finish(place, right) {
  quiz.done.set(place, right);
  show(place);
  $("remark").textContent = right ? "That is right." : "";
  if (firstOpen() === Infinity) return;
  const on = make("button", { type: "button" }, "to the next blank");
  on.addEventListener("click", () => show(firstOpen()));
  $("remark").append(" ", on);
}

// The verdict on an answer, as sheet.grade gives it: right to the digits that it has, and what gives the number if not.
function mark(text, { value, unit, slips }) {
  const [, mantissa, power] = /^\s*([-+]?\d*[.,]?\d*)(?:[eE]([-+]?\d+))?\s*$/.exec(text) || [];
  const number = mantissa ? Number(mantissa.replace(",", ".") + "e" + (power || 0)) : NaN;
  if (Number.isNaN(number)) return ["not a number", "write it as 0.125, or as 1.25e-1"];
  const decimals = (mantissa.split(/[.,]/)[1] || "").length - Number(power || 0);
  const near = (a, by) => Math.max(Math.min(0.5000001 * 10 ** -decimals, 5e-3 * Math.abs(a)), by * Math.abs(a));
  if (Math.abs(number - value) <= near(value, unit)) return ["right", ""];
  for (const [other, why] of number ? slips : []) {
    const by = near(other, 4 * unit);
    if (Math.abs(number - other) <= by && Math.abs(other - value) > Math.max(by, 3 * unit * Math.abs(value))) return ["wrong", why];
  }
  const off = Math.abs(number - value) / Math.abs(value);
  if (off <= 100 * unit) return ["right", ""];
  if (off <= 0.01) return ["close", `off by ${(100 * off).toPrecision(2)} %: rounded on the way? Keep more digits`];
  return ["wrong", "no slip that is known here gives this number"];
}
