// The pipeline in a thread of its own: frames and photos in, faces out. No picture leaves it.
//
// In:  {type: "load", engine, models: URLs of folders, webgpu, packed: bool}
//      {type: "frame", id, image: ImageBitmap | ImageData | VideoFrame, time: ms,
//       mode: "live" | "photo", options: {smoothing, filters}}
//      {type: "reset"}: the next live frame is another camera's
// Out: {type: "ready", milliseconds, backend}
//      {type: "faces", id, width, height, faces, dropped, milliseconds: {detect, keypoints, total}};
//      of a live frame that a newer one overtook, `faces` is null
//      {type: "error", id?, message}

import {fetchWell} from "./fetch.js";
import {fastest} from "./pipeline/card.js";
import {useConstants} from "./pipeline/constants.js";
import {OrtNetworks} from "./pipeline/engine.js";
import {FacialKeypoints} from "./pipeline/faces.js";
import {SharedNetworks} from "./pipeline/shared.js";
import {Tracker} from "./pipeline/tracker.js";
import {faceToDict, trackedToDict} from "./pipeline/wire.js";

const MOST_PIXELS = 100e6; // of a photo; no canvas holds more in every browser

let networks = null;
let tracker = null;
let photos = null; // made for the first photo
let precise = null; // the networks that it uses
let waiting = []; // frames that have come; of live ones only the newest
let busy = false;
let dropped = 0;
let anew = false; // whether the next live frame is another camera's
let canvas = null;
let buffer = null; // pixels of the last frame

const withSlash = (url) => new URL(url.endsWith("/") ? url : `${url}/`, self.location.href).href;

const load = async ({engine, models, webgpu = false, packed = false}) => {
  const started = performance.now();
  const places = {engine: withSlash(engine), models: withSlash(models), packed};
  const [plain] = await Promise.all([OrtNetworks.load(places), takeConstants(places.models)]);
  networks = webgpu ? await fastest(plain) : plain;
  if (networks === plain && navigator.hardwareConcurrency > 1) {
    networks = new SharedNetworks(plain, makeHelper);
  }
  tracker = new Tracker(networks);
  photos = null;
  postMessage({
    type: "ready", milliseconds: performance.now() - started, backend: networks.backend,
  });
};

const makeHelper = () => new Worker(new URL("helper.js", self.location.href), {type: "module"});

const takeConstants = async (folder) => {
  const answer = await fetchWell(`${folder}constants.json`);
  useConstants(await answer.json());
};

// Puts a frame in line; a live one takes the place of one that still waits.
const enqueue = (frame) => {
  if (!networks) throw new Error("expected \"load\" and its \"ready\" before the first frame");
  if (frame.mode !== "photo") dropLive();
  waiting.push(frame);
  if (!busy) work();
};

const dropLive = () => {
  for (const {id} of waiting.filter((frame) => frame.mode !== "photo").map(closed)) {
    dropped += 1;
    postMessage({type: "faces", id, faces: null, dropped});
  }
  waiting = waiting.filter((frame) => frame.mode === "photo");
};

const closed = (frame) => {
  frame.image.close?.();
  return frame;
};

// Lets messages in that have come meanwhile: the networks leave no pause in which they could.
const turns = new MessageChannel();
const turn = () => new Promise((resolve) => {
  turns.port1.onmessage = resolve;
  turns.port2.postMessage(null);
});

const work = async () => {
  busy = true;
  for (await turn(); waiting.length; await turn()) {
    const frame = waiting.shift();
    try {
      postMessage(await look(frame));
    } catch (error) {
      fail(error, frame.id);
    }
  }
  busy = false;
};

const look = async ({id, image, time, mode, options = {}}) => {
  const started = performance.now();
  const picture = await pixels(image);
  if (mode === "photo") await preparePhotos();
  const used = mode === "photo" ? precise : networks;
  Object.assign(used.spent, {detect: 0, keypoints: 0});
  const faces = mode === "photo" ? await inPhoto(picture) : await inStream(picture, time, options);
  const {detect, keypoints} = used.spent;
  const milliseconds = {detect, keypoints, total: performance.now() - started};
  const {width, height} = picture;
  return {type: "faces", id, width, height, faces, dropped, milliseconds};
};

const preparePhotos = async () => {
  if (photos) return;
  precise = await networks.precise();
  photos = new FacialKeypoints(precise);
};

const inPhoto = async (picture) => {
  const faces = await photos.find(picture);
  return faces.map((face, index) => ({id: index + 1, ...faceToDict(face)}));
};

const inStream = async (picture, time, {smoothing = 0.5, filters = []}) => {
  if (anew) tracker.reset();
  anew = false;
  tracker.smoothing = smoothing;
  const faces = await tracker.update(picture, time);
  return faces.map((face) => trackedToDict(face, filters));
};

// The pixels of a picture, whatever kind it is; a bitmap's memory is given back.
const pixels = async (image) => {
  if (image instanceof ImageData) return image;
  const width = image.displayWidth ?? image.width;
  const height = image.displayHeight ?? image.height;
  if (!(width * height > 0 && width * height <= MOST_PIXELS)) {
    throw new Error(`expected a picture of 1 to ${MOST_PIXELS} pixels, got ${width} × ${height}`);
  }
  const picture = await copied(image, width, height) ?? drawn(image, width, height);
  image.close?.();
  return picture;
};

// A camera's frame, copied to where the last one was: quicker than by a canvas, and no memory is
// left behind. Null where the browser or the frame is not made for it.
const copied = async (frame, width, height) => {
  const {codedWidth, visibleRect, rotation} = frame;
  if (!codedWidth || rotation || visibleRect?.width !== width || visibleRect.height !== height) return null;
  try {
    const size = 4 * width * height;
    if (frame.allocationSize({format: "RGBA"}) !== size) return null;
    if (buffer?.length !== size) buffer = new Uint8ClampedArray(size);
    await frame.copyTo(buffer, {format: "RGBA"});
    return {width, height, data: buffer};
  } catch {
    return null;
  }
};

const drawn = (image, width, height) => {
  if (canvas?.width !== width || canvas?.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", {willReadFrequently: true, alpha: false});
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, width, height);
};

const reset = () => {
  dropLive();
  dropped = 0;
  anew = true;
};

const fail = (error, id) => postMessage({type: "error", id, message: String(error?.message ?? error)});

const HANDLERS = {load, frame: enqueue, reset};

self.onmessage = async ({data}) => {
  try {
    const handler = HANDLERS[data?.type];
    if (!handler) throw new Error(`expected a message of type load, frame or reset, got ${data?.type}`);
    await handler(data);
  } catch (error) {
    fail(error, data?.id);
  }
};
