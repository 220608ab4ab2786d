// The two networks behind onnxruntime-web: WebAssembly, or the graphics card where that is faster.

const MODELS = {detector: "face_detector.onnx", keypoints: "facial_keypoints.onnx"};
const KINDS = {wasm: "ort.wasm.min.mjs", webgpu: "ort.webgpu.min.mjs"};
const TRIALS = 5; // readings of a crop by which backends are compared, after one that warms up
const PATIENCE = 20000; // ms in which the graphics card must have shown what it can

/**
 * What the pipeline asks of networks; `OrtNetworks` is one way to have it.
 * @typedef {object} Networks
 * @property {(canvas: {data: Uint8Array, width: number, height: number}) =>
 *   Promise<{score: Float32Array, box: Float32Array, points: Float32Array}>} detect of every cell:
 *   score 0..1; left, top, right, bottom edge; five points; pixels of the canvas
 * @property {(pictures: Uint8Array[]) => Promise<Reading[]>} readCrops pictures: RGB
 */

/**
 * points: 68, crop coordinates (-0.5 to 0.5). logScale: 68, in the same unit. score: 0..1.
 * @typedef {{points: [number, number][], logScale: number[], score: number}} Reading
 */

/** The networks' files, fetched once for every backend. @param {string} folder URL, with a slash */
export const fetchModels = async (folder) => {
  const fetched = Object.entries(MODELS).map(async ([name, file]) => [name, await fetchBytes(folder + file)]);
  return Object.fromEntries(await Promise.all(fetched));
};

const fetchBytes = async (url) => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`expected a network at ${url}, got status ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
};

/** Implements `Networks`. */
export class OrtNetworks {
  /** @param {"wasm" | "webgpu"} backend */
  constructor(ort, backend, detector, keypoints, size) {
    Object.assign(this, {ort, backend, detector, keypoints, size});
    this.spent = {detect: 0, keypoints: 0}; // ms since they were last set to 0
  }

  /**
   * @param {string} engine URL of the folder with onnxruntime-web's files, with a slash
   * @param {Record<string, Uint8Array>} models from `fetchModels`
   * @param {number} size of crops, pixels
   */
  static async load(engine, models, size, backend = "wasm") {
    const ort = await import(engine + KINDS[backend]);
    Object.assign(ort.env.wasm, {numThreads: 1, proxy: false, wasmPaths: engine});
    ort.env.logLevel = "error";
    const options = {executionProviders: [backend], graphOptimizationLevel: "all"};
    const open = (bytes) => ort.InferenceSession.create(bytes, options);
    const detector = models.detector && await open(models.detector);
    return new OrtNetworks(ort, backend, detector, await open(models.keypoints), size);
  }

  async detect({data, width, height}) {
    const started = performance.now();
    const {score, box, points} = await this.run(this.detector, data, [1, height, width, 3]);
    this.spent.detect += performance.now() - started;
    return {score, box, points};
  }

  async readCrops(pictures) {
    const started = performance.now();
    const readings = [];
    for (const picture of pictures) { // several at once are no faster, and take more memory
      const answer = await this.run(this.keypoints, picture, [1, this.size, this.size, 3]);
      readings.push(toReading(answer));
    }
    this.spent.keypoints += performance.now() - started;
    return readings;
  }

  async run(session, data, shape) {
    const [input] = session.inputNames;
    const tensor = new this.ort.Tensor("uint8", data, shape);
    const results = await session.run({[input]: tensor});
    const values = Object.entries(results).map(([name, result]) => [name, result.data]);
    return Object.fromEntries(values);
  }

  /** Median milliseconds of reading one crop. */
  async measure() {
    const picture = new Uint8Array(3 * this.size * this.size).fill(127);
    await this.readCrops([picture]);
    const times = [];
    for (let i = 0; i < TRIALS; i++) {
      const started = performance.now();
      await this.readCrops([picture]);
      times.push(performance.now() - started);
    }
    return times.sort((a, b) => a - b)[TRIALS >> 1];
  }

  async close() {
    for (const session of [this.detector, this.keypoints]) await session?.release();
  }
}

const toReading = ({points, log_scale, score}) => ({
  points: Array.from(log_scale, (_, i) => [points[2 * i], points[2 * i + 1]]),
  logScale: Array.from(log_scale),
  score: score[0],
});

/**
 * The networks on WebAssembly; or, if asked for, on the graphics card where that is there, works,
 * says the same and is faster. Whatever goes wrong on the card leaves WebAssembly.
 */
export const loadFastest = async (engine, models, size, webgpu) => {
  const plain = await OrtNetworks.load(engine, models, size);
  if (!webgpu || !await hasCard()) return plain;
  let card = null;
  try {
    const attempt = (async () => {
      card = await OrtNetworks.load(engine, models, size, "webgpu");
      return await agree(plain, card, size) && await card.measure() < await plain.measure();
    })();
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, false));
    if (await Promise.race([attempt, late])) return new WithRefuge(card, plain);
  } catch (error) {
    console.info(`the graphics card is left alone: ${error.message ?? error}`);
  }
  await card?.close().catch(() => {});
  return plain;
};

// Not on iOS, where WebGPU is known to end the whole page when memory runs short.
const hasCard = async () => {
  const apple = /iPhone|iPad|iPod/.test(navigator.userAgent)
    || (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);
  if (apple || !navigator.gpu) return false;
  return Boolean(await navigator.gpu.requestAdapter().catch(() => null));
};

// Whether both read the same from a picture of gradients, to a hundredth of the crop.
const agree = async (one, other, size) => {
  const picture = Uint8Array.from({length: 3 * size * size}, (_, i) => (i * 7 + (i >> 9)) & 255);
  const [[a], [b]] = [await one.readCrops([picture]), await other.readCrops([picture])];
  return a.points.every(([x, y], i) => Math.hypot(x - b.points[i][0], y - b.points[i][1]) < 0.01);
};

/** Networks on the graphics card, which go on in WebAssembly once the card fails. */
class WithRefuge {
  constructor(card, plain) {
    Object.assign(this, {now: card, plain});
  }

  get backend() { return this.now.backend; }

  get spent() { return this.now.spent; }

  detect(canvas) { return this.attempt((networks) => networks.detect(canvas)); }

  readCrops(pictures) { return this.attempt((networks) => networks.readCrops(pictures)); }

  async attempt(work) {
    try {
      return await work(this.now);
    } catch (error) {
      if (this.now === this.plain) throw error;
      this.now = this.plain;
      return work(this.now);
    }
  }
}
