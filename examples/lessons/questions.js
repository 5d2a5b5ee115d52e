// Grades the form of a question (questions.py): says whether what was typed or clicked is right, and why.
function gradeAnswer(event) {
  event.preventDefault();
  const form = event.target, question = JSON.parse(form.dataset.question), said = form.querySelector("output");
  let right, why = "";
  if (question.said) {
    const number = Number(event.submitter.value);
    right = number === question.right;
    why = question.said[number - 1];
  } else {
    const value = numberOf(form.elements.typed.value);
    if (!Number.isFinite(value)) {
      said.textContent = "That is not a number; write one such as 0.25, 1/4 or 2.5e-1.";
      return false;
    }
    right = Math.abs(value - question.answer) <= question.within;
    const slip = question.slips.find(([number, within]) => Math.abs(value - number) <= within);
    why = right ? question.why : slip ? slip[2] : "";
  }
  said.className = right ? "right" : "wrong";
  said.innerHTML = `<b>${right ? "Right." : "Not so."}</b> ${why}`;
  return false;
}

function numberOf(text) {
  const parts = text.trim().split("/").map(part => {
    const powers = part.trim().replaceAll("**", "^").split("^").map(plainNumber);
    return powers.length === 1 ? powers[0] : powers.length === 2 ? Math.pow(powers[0], powers[1]) : NaN;
  });
  return parts.length === 1 ? parts[0] : parts.length === 2 ? parts[0] / parts[1] : NaN;
}

// 1,000 is a thousand, and 0,5 a half.
function plainNumber(text) {
  if (text.trim() === "") return NaN;
  return Number(/^[-+]?\d{1,3}(,\d{3})+(\.\d*)?$/.test(text.trim()) ? text.replaceAll(",", "") : text.replace(",", "."));
}
