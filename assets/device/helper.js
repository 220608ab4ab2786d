// A second reader of face crops, on a core of its own; worker.js starts it while several faces are
// in view.
//
// In:  {type: "load", places, constants}
//      {type: "read", pictures: Uint8Array[]}
// Out: {type: "ready"}
//      {type: "readings", readings}
//      {type: "error", message}

import {useConstants} from "./pipeline/constants.js";
import {OrtNetworks} from "./pipeline/engine.js";

let networks = null;

const load = async ({places, constants}) => {
  useConstants(constants);
  networks = await OrtNetworks.loadReader(places);
  postMessage({type: "ready"});
};

const read = async ({pictures}) =>
  postMessage({type: "readings", readings: await networks.readCrops(pictures)});

const HANDLERS = {load, read};

self.onmessage = async ({data}) => {
  try {
    await HANDLERS[data.type](data);
  } catch (error) {
    postMessage({type: "error", message: String(error?.message ?? error)});
  }
};
