// Answers by the bundle whenever a slider moves.
import { open } from "./edge-experts.js";

const form = document.getElementById("form");
const label = document.getElementById("label");
const detail = document.getElementById("detail");

/** The row of the table that the sliders show: numbers by the names of the columns. */
function row() {
  const found = {};
  for (const input of form.elements) {
    if (input.name === "") continue; // the outputs beside the sliders
    input.previousElementSibling.value = input.value;
    found[input.name] = Number(input.value);
  }
  return found;
}

/** One answer after the other, always for where the sliders are then. */
let wanted = false;
let busy = false;
async function show(bundle) {
  wanted = true;
  if (busy) return;
  busy = true;
  while (wanted) {
    wanted = false;
    const answer = await bundle.predict(row());
    label.textContent = answer.label;
    const percent = Math.round(100 * answer.score);
    detail.textContent = `${percent} %, by expert ${answer.expert}`;
  }
  busy = false;
}

try {
  // Reads the manifest and the router, and checks their digests; experts follow when they are needed.
  const bundle = await open("./bundle/");
  form.addEventListener("input", () => show(bundle));
  await show(bundle);
} catch (error) {
  label.textContent = "This page cannot answer.";
  detail.textContent = error.message; // what is wrong, and what to do
}
