// The worker that finds faces in the browser, started once for the whole page.

// A module of one function with a SIMD instruction: browsers that cannot run it are from before 2023.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
]);

const STOPPED = "The networks were stopped";

/**
 * Why faces cannot be found on this device; empty where they can.
 * @param {{missing: string}} device what the server says, see `DeviceFiles.describe`
 * @returns {string}
 */
export const whyNot = (device) => {
  if (device.missing) return device.missing;
  if (typeof WebAssembly !== "object" || typeof Worker !== "function"
      || typeof createImageBitmap !== "function") {
    return "This browser cannot run the networks: it has no WebAssembly or no workers.";
  }
  if (!WebAssembly.validate(SIMD)) {
    return "This browser cannot run the networks: its WebAssembly has no SIMD. A current Chrome, "
      + "Edge, Firefox or Safari has it.";
  }
  return "";
};

// The worker that the page itself has started, if it was the same one; see web/device/script.py.
const startedEarly = ({scripts}) => {
  const early = window.earlyWorker;
  window.earlyWorker = null;
  return early?.scripts === scripts ? early : null;
};

/** Finds faces; one picture at a time, in the order in which they are asked for. */
export class Engine {
  /**
   * @param {{engine: string, models: string, scripts: string, packed?: boolean}} device addresses
   *   of folders, whole, with a slash at the end; whether the engine lies there packed
   */
  constructor(device) {
    this.device = device;
    this.waiting = new Map(); // id -> {resolve, reject}
    this.next = 1;
    this.loading = null;
  }

  /**
   * Fetches engine and networks, once; again after a failure, or with another `webgpu`.
   * @param {boolean} [webgpu] whether the graphics card may be used where it is faster
   * @returns {Promise<{milliseconds: number, backend: string}>}
   */
  load(webgpu = false) {
    if (this.loading && this.webgpu === webgpu) return this.loading;
    this.close();
    this.webgpu = webgpu;
    const loading = (this.loading = new Promise((resolve, reject) => {
      this.opened = {resolve, reject};
      const early = webgpu ? null : startedEarly(this.device);
      this.worker = early?.worker ?? new Worker(`${this.device.scripts}device/worker.js`, {type: "module"});
      this.worker.onmessage = ({data}) => this.take(data);
      this.worker.onerror = (event) => {
        event.preventDefault();
        this.take({type: "error", message: event.message});
      };
      const {engine, models, packed = false} = this.device;
      if (early) early.said.forEach((message) => this.take(message));
      else this.worker.postMessage({type: "load", engine, models, webgpu, packed});
    }));
    loading.catch(() => { if (this.loading === loading) this.loading = null; });
    return loading;
  }

  /**
   * @param {ImageBitmap | ImageData | VideoFrame} image handed over to the worker
   * @param {{time: number, mode: "live" | "photo", options?: object}} how time: ms
   * @returns {Promise<{faces: object[] | null, width: number, height: number,
   *   milliseconds: {detect: number, keypoints: number, total: number}}>} faces: null where a newer
   *   frame came first
   */
  find(image, how) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      if (!this.worker) throw new Error(STOPPED);
      this.waiting.set(id, {resolve, reject});
      const handed = image instanceof ImageData ? [image.data.buffer] : [image];
      this.worker.postMessage({type: "frame", id, image, ...how}, handed);
    });
  }

  /** Forgets the faces that are being followed. */
  reset() { this.worker?.postMessage({type: "reset"}); }

  /** Ends the worker and gives its memory back; who waits for it is told. */
  close(why = STOPPED) {
    const error = new Error(why);
    this.worker?.terminate();
    this.worker = null;
    this.loading = null;
    this.opened?.reject(error);
    for (const {reject} of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  take(message) {
    if (message.type === "ready") {
      this.opened.resolve(message);
    } else if (message.type === "faces") {
      this.waiting.get(message.id)?.resolve(message);
      this.waiting.delete(message.id);
    } else if (message.type === "error" && message.id !== undefined) { // of one picture
      this.waiting.get(message.id)?.reject(new Error(message.message));
      this.waiting.delete(message.id);
    } else if (message.type === "error") {
      this.close(message.message || "A file could not be fetched: check the connection, or reload the page");
    }
  }
}

/** The page's one engine, which photo and live view share. */
let shared;
export const sharedEngine = (device) => (shared ??= new Engine(device));
