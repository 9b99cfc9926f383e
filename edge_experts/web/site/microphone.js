/** Samples of the microphone, and of sound files that only the browser decodes, for `predict`. */
import { UsageError } from "./edge-experts.js";
import { Resampler, joined } from "./edge-experts/features/resampling.js";
import { sixteenBits } from "./edge-experts/features/wav_files.js";

// What phones do to voices in calls, training did not see.
const PLAIN = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };

/**
 * Records from the microphone.
 *
 * @param {number} seconds
 * @param {number} rate Samples a second of the bundle.
 * @returns {Promise<Int16Array>}
 * @throws {UsageError} There is no microphone, or the user refuses it.
 */
export async function record(seconds, rate) {
  if (navigator.mediaDevices === undefined) throw new UsageError("pages without https get no microphone; choose a file");
  const stream = await navigator.mediaDevices.getUserMedia({ audio: PLAIN }).catch((error) => {
    throw new UsageError(`the microphone cannot be used: ${error.message}; choose a file`);
  });
  const context = new AudioContext();
  try {
    await context.resume();
    await context.audioWorklet.addModule(new URL("microphone_worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "recorder");
    const blocks = [];
    const isFull = new Promise((resolve) => {
      let missing = seconds * context.sampleRate;
      node.port.onmessage = ({ data }) => {
        blocks.push(Int16Array.from(data, sixteenBits));
        missing -= data.length;
        if (missing <= 0) resolve();
      };
    });
    context.createMediaStreamSource(stream).connect(node).connect(context.destination); // silent
    await isFull;
    const resampler = new Resampler(context.sampleRate, rate);
    return joined([resampler.feed(joined(blocks)), resampler.finish()]);
  } finally {
    for (const track of stream.getTracks()) track.stop();
    await context.close();
  }
}

/**
 * Decodes a sound file that is not WAV, such as a phone's recording.
 *
 * @param {ArrayBuffer} content
 * @param {number} rate Samples a second of the bundle.
 * @returns {Promise<Int16Array>} The mean of the channels, decoded and resampled by the browser.
 * @throws {UsageError} The browser does not read it.
 */
export async function decoded(content, rate) {
  const context = new OfflineAudioContext(1, 1, rate);
  const buffer = await context.decodeAudioData(content).catch(() => {
    throw new UsageError("not a sound file that this browser reads; give a WAV file");
  });
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, place) => buffer.getChannelData(place));
  return Int16Array.from(channels[0], (_, place) =>
    sixteenBits(channels.reduce((sum, channel) => sum + channel[place], 0) / channels.length),
  );
}
