/** Inputs of the example page, one for each kind of features. */
import { UsageError } from "./edge-experts.js";

// Grey of a pixel by ITU-R 601, in the whole numbers of Pillow.
const [RED, GREEN, BLUE] = [19595, 38470, 7471];

/**
 * Creates the inputs for a bundle's features.
 *
 * @param {object} description `bundle.info.input`.
 * @returns {{elements: HTMLElement[], example: function(): Promise<*>}}
 */
export function inputFor(description) {
  if (description.kind === "text") return textInput();
  if (description.kind === "table") return tableInput(description.columns);
  if (description.kind === "sound") return soundInput(description);
  const isPicture = description.kind === "image" && [1, 3, 4].includes(description.shape[2] ?? 1);
  return isPicture ? imageInput(description) : numbersInput(description);
}

const BEFORE_SECONDS = 1; // of a recording, until the user speaks

let count = 0;

function labelled(text, hint, control) {
  count += 1;
  control.id = `input-${count}`;
  const label = document.createElement("label");
  label.htmlFor = control.id;
  label.append(text);
  if (hint !== "") {
    const small = document.createElement("small");
    small.textContent = ` ${hint}`;
    label.append(small);
  }
  return [label, control];
}

function create(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

function textInput() {
  const area = create("textarea", { rows: 4, required: true });
  return { elements: labelled("Text", "", area), example: async () => area.value };
}

function tableInput(columns) {
  const controls = columns.map((column) => [column, controlFor(column)]);
  return {
    elements: controls.flatMap(([column, control]) => labelled(column.name, hintFor(column), control)),
    example: async () =>
      Object.fromEntries(controls.map(([column, control]) => [column.name, control.value === "" ? null : control.value])),
  };
}

function controlFor({ values }) {
  if (values === undefined) return create("input", { type: "text", autocomplete: "off" });
  const control = create("select");
  control.append(create("option", { value: "", textContent: "not known" }));
  for (const value of values) control.append(create("option", { value, textContent: value }));
  return control;
}

function hintFor({ type, range, example, unit }) {
  if (type === "date") return `such as ${example}`;
  if (type !== "number") return "";
  const within = range === null ? `such as ${example}` : `${range[0]} to ${range[1]} in training`;
  return unit === "" ? within : `${within}, in ${unit}`;
}

function imageInput({ shape: [height, width, channels = 1], range }) {
  const file = create("input", { type: "file", accept: "image/*" });
  const camera = create("input", { type: "file", accept: "image/*" });
  camera.setAttribute("capture", "environment");
  const canvas = create("canvas", { width, height });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The image as the model gets it");
  let chosen = null;
  for (const control of [file, camera]) {
    control.addEventListener("change", () => {
      chosen = control.files[0] ?? null;
      if (chosen !== null) draw(canvas, chosen);
    });
  }
  const example = async () => {
    if (chosen === null) throw new UsageError("choose an image, or take one");
    const pixels = await draw(canvas, chosen);
    const data = inChannels(pixels, channels);
    const isUnit = range !== null && range[1] <= 1;
    return { shape: [height, width, channels], data: isUnit ? Float32Array.from(data, (byte) => byte / 255) : data };
  };
  const elements = [
    ...labelled("Image file", `drawn to ${width} × ${height} pixels`, file),
    ...labelled("Camera", "", camera),
    canvas,
  ];
  return { elements, example };
}

/** Draws an image file to the model's size; returns its RGBA bytes. */
async function draw(canvas, file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new UsageError(`${file.name}: not an image that this browser reads`);
  }
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
}

function inChannels(pixels, channels) {
  if (channels === 4) return Uint8Array.from(pixels);
  const data = new Uint8Array((pixels.length / 4) * channels);
  for (let place = 0; place < pixels.length / 4; place += 1) {
    const [red, green, blue] = pixels.subarray(4 * place, 4 * place + 3);
    if (channels === 3) data.set([red, green, blue], 3 * place);
    else data[channels * place] = (red * RED + green * GREEN + blue * BLUE + 0x8000) >> 16;
  }
  return data;
}

function soundInput({ rate, seconds }) {
  const file = create("input", { type: "file", accept: ".wav,audio/*" });
  const button = create("button", { type: "button", className: "second", textContent: "Record" });
  const length = seconds + BEFORE_SECONDS;
  let chosen = null;
  file.addEventListener("change", () => {
    const [given] = file.files;
    if (given === undefined) return;
    chosen = soundOf(given, rate);
    chosen.catch(() => {}); // told when it is asked for
  });
  button.addEventListener("click", () => {
    button.disabled = true;
    button.textContent = "Recording …";
    const done = (text) => Object.assign(button, { disabled: false, textContent: text });
    chosen = import("./microphone.js").then(({ record }) => record(length, rate));
    chosen.then(() => done("Recorded. Record again"), () => done("Record"));
  });
  const example = async () => {
    if (chosen === null) throw new UsageError("choose a sound file, or record one");
    return chosen;
  };
  const hint = `the loudest ${seconds} s of it count`;
  return { elements: [...labelled("Sound file", hint, file), ...labelled("Microphone", `${length} s`, button)], example };
}

/** A WAV file as it is, which the bundle reads; of others the samples. */
async function soundOf(file, rate) {
  const content = await file.arrayBuffer();
  const isWav = new TextDecoder("latin1").decode(content.slice(0, 4)) === "RIFF";
  return isWav ? content : (await import("./microphone.js")).decoded(content, rate);
}

function numbersInput({ shape }) {
  const area = create("textarea", { rows: 4, placeholder: "[[0.1, 0.2], …]" });
  const file = create("input", { type: "file", accept: ".json,application/json" });
  file.addEventListener("change", async () => {
    if (file.files[0] !== undefined) area.value = await file.files[0].text();
  });
  const example = async () => {
    try {
      return JSON.parse(area.value);
    } catch (error) {
      throw new UsageError(`the numbers must be lists in JSON: ${error.message}`);
    }
  };
  const hint = `${shape.join(" × ")}, lists in JSON`;
  return { elements: [...labelled("Numbers", hint, area), ...labelled("File", "of such lists", file)], example };
}
