// The two networks behind onnxruntime-web, in WebAssembly or on the graphics card.

import {fetchWell} from "../fetch.js";
import {constants} from "./constants.js";

const DETECTOR = "face_detector.onnx";
const PRECISE = "facial_keypoints.onnx"; // for photos, and for the graphics card
const QUICK = "facial_keypoints_int8.onnx"; // in 8 bits, for cameras: twice as fast
const ENGINES = { // script; what it loads: .mjs and .wasm
  wasm: {script: "ort.wasm.min.mjs", binary: "ort-wasm-simd-threaded"},
  webgpu: {script: "ort.webgpu.min.mjs", binary: "ort-wasm-simd-threaded.asyncify"},
};

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

/**
 * Where things are.
 * @typedef {{engine: string, models: string, packed?: boolean}} Places engine, models: URLs of
 *   folders, with a slash. packed: whether the engine's WebAssembly lies there packed by gzip
 */

const fetchBytes = async (url) => new Uint8Array(await (await fetchWell(url)).arrayBuffer());

// Weights of one's own may come without the network in 8 bits.
const fetchFirst = ([url, ...others]) =>
  fetchBytes(url).catch((error) => {
    if (!others.length) throw error;
    return fetchFirst(others);
  });

// Hosts of plain files may not compress; what lies there packed is unpacked here.
const fetchBinary = async (url, packed) => {
  if (!packed) return fetchWell(url);
  const {body} = await fetchWell(`${url}.packed`);
  const headers = {"content-type": "application/wasm"}; // compiled while it comes
  return new Response(body.pipeThrough(new DecompressionStream("gzip")), {headers});
};

// All of the engine at once. It would ask for its binary last, when its scripts have come and run;
// the answer that is on its way already is then given to it.
const loadEngine = async ({engine, packed = false}, backend) => {
  const {script, binary} = ENGINES[backend];
  const url = `${engine}${binary}.wasm`;
  const answer = fetchBinary(url, packed);
  answer.catch(() => {}); // said where it is used
  import(`${engine}${binary}.mjs`).catch(() => {});
  const plain = self.fetch;
  self.fetch = (asked, ...how) => {
    if (String(asked) !== url) return plain(asked, ...how);
    self.fetch = plain;
    return answer;
  };
  const ort = await import(engine + script);
  Object.assign(ort.env.wasm, {numThreads: 1, proxy: false, wasmPaths: engine});
  ort.env.logLevel = "error";
  return ort;
};

/** Implements `Networks`. */
export class OrtNetworks {
  /** @param {Places} places @param {"wasm" | "webgpu"} backend */
  constructor(ort, backend, places, detector, keypoints) {
    Object.assign(this, {ort, backend, places, detector, keypoints});
    this.spent = {detect: 0, keypoints: 0}; // ms since they were last set to 0
  }

  /** For a camera's frames. @param {Places} places */
  static async load(places, backend = "wasm") {
    const networks = new OrtNetworks(null, backend, places);
    const bytes = [[DETECTOR], networks.keypointFiles].map((files) => networks.fetch(files));
    networks.ort = await loadEngine(places, backend);
    networks.detector = await networks.open(await bytes[0]);
    networks.keypoints = await networks.open(await bytes[1]);
    return networks;
  }

  /** The same for crops alone, in WebAssembly. @param {Places} places */
  static async loadReader(places) {
    const networks = new OrtNetworks(null, "wasm", places);
    const bytes = networks.fetch(networks.keypointFiles);
    networks.ort = await loadEngine(places, "wasm");
    networks.keypoints = await networks.open(await bytes);
    return networks;
  }

  get keypointFiles() { return this.backend === "wasm" ? [QUICK, PRECISE] : [PRECISE]; }

  // While the engine comes; what fails is said where it is used.
  fetch(files) {
    const bytes = fetchFirst(files.map((file) => this.places.models + file));
    bytes.catch(() => {});
    return bytes;
  }

  /** The same in full precision, for photos; fetched when it is first asked for. */
  async precise() {
    if (this.backend !== "wasm") return this;
    const keypoints = await this.open(await fetchBytes(this.places.models + PRECISE));
    return new OrtNetworks(this.ort, this.backend, this.places, this.detector, keypoints);
  }

  open(bytes) {
    return this.ort.InferenceSession.create(bytes, {
      executionProviders: [this.backend],
      graphOptimizationLevel: "all",
      freeDimensionOverrides: {batch: 1},
    });
  }

  async detect({data, width, height}) {
    const started = performance.now();
    const {score, box, points} = await this.run(this.detector, data, [1, height, width, 3]);
    this.spent.detect += performance.now() - started;
    return {score, box, points};
  }

  async readCrops(pictures) {
    const started = performance.now();
    const size = constants.keypoints.input_size;
    const readings = [];
    for (const picture of pictures) { // several at once are no faster, and take more memory
      readings.push(toReading(await this.run(this.keypoints, picture, [1, size, size, 3])));
    }
    this.spent.keypoints += performance.now() - started;
    return readings;
  }

  async run(session, data, shape) {
    const [input] = session.inputNames;
    const results = await session.run({[input]: new this.ort.Tensor("uint8", data, shape)});
    const values = Object.entries(results).map(([name, result]) => [name, result.data]);
    return Object.fromEntries(values);
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
