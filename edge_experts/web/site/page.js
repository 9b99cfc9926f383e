/** Example page: asks the bundle beside it, and shows who answered, what was read and how long it took. */
import { EdgeExpertsError, open } from "./edge-experts.js";
import { inputFor } from "./page_inputs.js";

const SHOWN = 5; // scores in the list
const PARTS = { features_us: "Features", route_us: "Router", load_us: "Load the expert", invoke_us: "Expert" };
const byId = (id) => document.getElementById(id);

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function say(text) {
  byId("status").textContent = text;
}

function milliseconds(micro) {
  return `${(micro / 1000).toFixed(micro < 10_000 ? 2 : 0)} ms`;
}

function showAnswer(answer, info) {
  byId("answer").hidden = false;
  byId("label").textContent = answered(answer);
  const notes = [...answer.warnings];
  if (answer.abstained) notes.unshift("The model abstains: its score is below the bundle's threshold.");
  if (answer.degraded) notes.unshift(`The router's choice could not be used: ${answer.reason}`);
  byId("notes").textContent = notes.join(" ");
  byId("scores").replaceChildren(...(answer.values === undefined ? scores(answer, info) : []));
  byId("expert").textContent =
    answer.expert < 0
      ? `All ${answer.experts.length} experts answered.`
      : `Answered by expert ${answer.experts.join(" and ")} of ${info.experts}.`;
  const rows = Object.entries(PARTS).flatMap(([key, name]) => [
    element("dt", name),
    element("dd", milliseconds(answer.timings[key])),
  ]);
  byId("times").replaceChildren(...rows);
}

function answered(answer) {
  if (answer.values !== undefined) return values(answer.values);
  if (answer.labels !== undefined) return answer.labels.join(", ") || "No label";
  return answer.label;
}

function values(found) {
  const entries = Object.entries(found).map(([name, value]) => [name, String(Number(value.toPrecision(7)))]);
  return entries.length === 1 ? entries[0][1] : entries.map(([name, value]) => `${name} ${value}`).join(", ");
}

function scores(answer, info) {
  const order = answer.scores.map((_, place) => place).sort((one, other) => answer.scores[other] - answer.scores[one]);
  return order.slice(0, SHOWN).map((place) => {
    const item = element("li", "");
    const percent = `${(100 * answer.scores[place]).toFixed(1)} %`;
    const bar = { max: "1", value: String(answer.scores[place]), "aria-label": `${info.labels[place]}: ${percent}` };
    item.append(element("span", info.labels[place]), element("span", percent), element("progress", "", bar));
    return item;
  });
}

function showTraffic(bundle) {
  const rows = bundle.traffic.map(({ path, bytes, source }) => {
    const row = document.createElement("tr");
    row.append(element("td", path), element("td", bytes.toLocaleString("en")), element("td", source));
    return row;
  });
  byId("files").replaceChildren(...rows);
  const fetched = bundle.traffic.filter(({ source }) => source === "network");
  const total = fetched.reduce((sum, { bytes }) => sum + bytes, 0);
  byId("total").textContent = `${rows.length}, ${(total / 1000).toFixed(0)} kB of them from the network`;
}

/** Runs an action of a button; tells errors of users and bundles, and raises bugs. */
async function attempt(bundle, doing, action) {
  const buttons = [byId("ask"), byId("verify")];
  for (const button of buttons) button.disabled = true;
  say(doing);
  try {
    say(await action());
  } catch (error) {
    byId("answer").hidden = true;
    say(error.message);
    if (!(error instanceof EdgeExpertsError)) throw error;
  } finally {
    for (const button of buttons) button.disabled = false;
    showTraffic(bundle);
  }
}

async function start() {
  const bundle = await open(new URL("bundle/", import.meta.url));
  const { info } = bundle;
  byId("name").textContent = info.name;
  document.title = info.name;
  const input = inputFor(info.input);
  byId("fields").replaceChildren(...input.elements);
  byId("form").hidden = false;
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(bundle, "Answering …", async () => {
      showAnswer(await bundle.predict(await input.example()), info);
      return "Ready.";
    });
  });
  byId("verify").addEventListener("click", () => {
    attempt(bundle, "Answering the golden examples …", async () => {
      const count = await bundle.verify();
      return `This browser gives the published answers to all ${count} golden examples.`;
    });
  });
  showTraffic(bundle);
  say("Ready.");
}

start()
  .catch((error) => {
    say(error.message);
    if (!(error instanceof EdgeExpertsError)) throw error;
  })
  .finally(() => {
    // Only now: it reads all files, and would compete with the page for the network.
    navigator.serviceWorker?.register("sw.js").catch((error) => console.warn(error.message));
  });
