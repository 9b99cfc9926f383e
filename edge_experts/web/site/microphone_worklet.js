/** Sends the samples of its input to the page. */
registerProcessor(
  "recorder",
  class extends AudioWorkletProcessor {
    process([[samples]]) {
      if (samples !== undefined) this.port.postMessage(samples.slice());
      return true;
    }
  },
);
