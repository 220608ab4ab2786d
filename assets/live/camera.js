// The camera: asking for it, what to say when there is none, its frames as small JPEGs.

// What a person can do about each way of having no camera.
export const CAMERA_TROUBLE = {
  insecure: {
    title: "The camera needs a secure address",
    text: "Browsers lend the camera only to pages on https or on this very machine. Open the "
      + "page as http://localhost where it runs, or start it with --share and use its https "
      + "link. Photos and video files work here as well.",
  },
  unsupported: {
    title: "This browser lends no camera",
    text: "A current Chrome, Edge, Firefox or Safari does. Photos and video files work here as "
      + "well.",
  },
  refused: {
    title: "The camera was refused",
    text: "Allow it with the camera or lock sign beside the page's address (on a phone also in "
      + "the system's settings for this browser), then try again.",
  },
  absent: {
    title: "No camera was found",
    text: "Plug one in or switch it on, then try again. Photos and video files work without one.",
  },
  busy: {
    title: "The camera is in use",
    text: "Another program or browser tab seems to hold it. Close that one, then try again.",
  },
  ended: {
    title: "The camera went away",
    text: "It was unplugged, switched off, or taken by another program.",
  },
};

// Names of getUserMedia's errors -> key of CAMERA_TROUBLE; older browsers' names too.
const CAMERA_ERRORS = {
  NotAllowedError: "refused", PermissionDeniedError: "refused", SecurityError: "refused",
  NotFoundError: "absent", OverconstrainedError: "absent", DevicesNotFoundError: "absent",
  NotReadableError: "busy", AbortError: "busy", TrackStartError: "busy",
};

class CameraTrouble extends Error {
  constructor(kind) {
    super(CAMERA_TROUBLE[kind].title);
    this.kind = kind;
  }
}

// The stream of a camera, 640 × 480 where it can; throws a CameraTrouble.
// deviceId: {exact} or {ideal} id of the camera; without it, one that faces the visitor.
export const openCamera = async (deviceId) => {
  if (!window.isSecureContext) throw new CameraTrouble("insecure");
  if (!navigator.mediaDevices?.getUserMedia) throw new CameraTrouble("unsupported");
  const which = deviceId ? {deviceId} : {facingMode: "user"};
  const video = {...which, width: {ideal: 640}, height: {ideal: 480}, frameRate: {ideal: 30}};
  try {
    return await navigator.mediaDevices.getUserMedia({video, audio: false});
  } catch (error) {
    throw new CameraTrouble(CAMERA_ERRORS[error.name] ?? "busy");
  }
};

export const closeCamera = (stream) => stream?.getTracks().forEach((track) => track.stop());

// The cameras there are; their names are only known while one of them is on.
export const listCameras = async () => {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === "videoinput");
};

// Calls back for each frame the video shows, with the frame's own time in ms, until stopped.
// The overlay is drawn for that very frame, not for whatever the clock says.
export const eachFrame = (video, callback) => {
  let stopped = false;
  let first = null;
  // Safari gives all frames of a camera the media time 0, and says only when they are shown.
  const timeOf = ({mediaTime, presentationTime}) => {
    first ??= presentationTime;
    return 1000 * mediaTime || presentationTime - first;
  };
  const tick = (now, frame) => {
    if (stopped) return;
    next();
    if (video.readyState >= 2) callback(frame ? timeOf(frame) : now);
  };
  const next = () =>
    video.requestVideoFrameCallback
      ? video.requestVideoFrameCallback(tick)
      : requestAnimationFrame((now) => tick(now));
  next();
  return () => { stopped = true; };
};

// Copies of the video's frames, small, because the network only ever sees 128 pixels of a face.
export class Grabber {
  constructor(video, longestSide) {
    this.video = video;
    this.longestSide = longestSide;
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d", {alpha: false, willReadFrequently: true});
  }

  // The frame on show as a JPEG in base64. Encoded at once: toBlob waits for an idle moment,
  // which on a busy machine costs more than the 2 ms of this.
  grab() {
    const {videoWidth, videoHeight} = this.video;
    const shrink = Math.min(1, this.longestSide / Math.max(videoWidth, videoHeight));
    const width = Math.round(videoWidth * shrink);
    const height = Math.round(videoHeight * shrink);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.context.drawImage(this.video, 0, 0, width, height);
    const url = this.canvas.toDataURL("image/jpeg", 0.75);
    return url.slice(url.indexOf(",") + 1);
  }
}
