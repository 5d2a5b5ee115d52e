// How the cursor moves: by buttons, keys, and the address.
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
$("scroll").addEventListener("scroll", cue);
window.addEventListener("resize", cue);
for (const [id, way] of [["more-left", -0.7], ["more-right", 0.7]]) {
  $(id).addEventListener("click", () => $("scroll").scrollBy({ left: way * $("scroll").clientWidth, behavior: "smooth" }));
}
if (quiz.blanks.length) {
  const button = make("button", { type: "button", id: "quiz", "aria-pressed": "false" }, "quiz");
  button.addEventListener("click", toggleQuiz);
  $("phases").append(make("li", {}, button));
}
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" || event.altKey || event.ctrlKey || event.metaKey) return;
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
