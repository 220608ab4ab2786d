// Networks that share the reading of several faces with a second worker, where the device has a
// core for it. One face needs no help, and the helper's memory is only taken while it is of use.

import {constants} from "./constants.js";

const CONVINCED = 15; // readings of several faces after which a helper is worth its start
const UNUSED = 20000; // ms without several faces after which it goes

/** Implements `Networks`; everything but the reading of crops is left to the given ones. */
export class SharedNetworks {
  /**
   * @param {import("./engine.js").OrtNetworks} networks
   * @param {() => Worker} makeWorker of helper.js
   */
  constructor(networks, makeWorker) {
    Object.assign(this, {networks, makeWorker});
    this.several = 0; // readings of several faces so far
    this.helper = null;
    this.failed = false;
  }

  get backend() { return this.networks.backend; }

  get spent() { return this.networks.spent; }

  precise() { return this.networks.precise(); }

  detect(canvas) { return this.networks.detect(canvas); }

  async readCrops(pictures) {
    this.mind(pictures.length);
    if (pictures.length < 2 || !this.helper?.ready) return this.networks.readCrops(pictures);
    // The helper has the larger half, for this worker has the rest of the work, too.
    const own = Math.floor(pictures.length / 2);
    const asked = this.helper.read(pictures.slice(own));
    const readings = await this.networks.readCrops(pictures.slice(0, own));
    const others = await asked.catch(() => {
      this.failed = true;
      this.end();
      return this.networks.readCrops(pictures.slice(own));
    });
    return [...readings, ...others];
  }

  // Starts the helper, or ends it.
  mind(count) {
    const now = performance.now();
    if (count > 1) {
      this.last = now;
      this.several += 1;
      if (this.several >= CONVINCED && !this.helper && !this.failed) {
        this.helper = new Helper(this.makeWorker(), this.networks.places);
      }
    } else if (this.helper && now - this.last > UNUSED) this.end();
  }

  end() {
    this.helper?.worker.terminate();
    this.helper = null;
    this.several = 0;
  }
}

/** The other end of helper.js; one question at a time. */
class Helper {
  constructor(worker, places) {
    this.worker = worker;
    this.ready = false;
    this.asked = null; // {resolve, reject} of the question
    worker.onmessage = ({data}) => this.take(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.take({type: "error", message: event.message});
    };
    worker.postMessage({type: "load", places, constants: {...constants}});
  }

  take({type, readings, message}) {
    if (type === "ready") this.ready = true;
    else if (type === "readings") this.asked.resolve(readings);
    else {
      this.ready = false; // and stays so
      this.asked?.reject(new Error(message));
    }
  }

  read(pictures) {
    return new Promise((resolve, reject) => {
      this.asked = {resolve, reject};
      this.worker.postMessage({type: "read", pictures});
    });
  }
}
