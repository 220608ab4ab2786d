// The worker of assets/device as a page uses it, asked about pictures that a server holds ready.

export const fetchPicture = async (name) => {
  const answer = await fetch(`/pictures/${name}`);
  const [width, height] = answer.headers.get("X-Size").split("x").map(Number);
  return {width, height, data: new Uint8ClampedArray(await answer.arrayBuffer())};
};

export class Worked {
  constructor() {
    this.worker = new Worker("/device/worker.js", {type: "module"});
    this.count = 0;
  }

  ask(message, handed = []) {
    return new Promise((resolve, reject) => {
      this.worker.onmessage = ({data}) =>
        (data.type === "error" ? reject(new Error(data.message)) : resolve(data));
      this.worker.onerror = (event) => reject(new Error(event.message));
      this.worker.postMessage(message, handed);
    });
  }

  load(webgpu = false) { return this.ask({type: "load", engine: "/engine/", models: "/models/", webgpu}); }

  async look(name, mode, time = 0, options = {}) {
    const {width, height, data} = await fetchPicture(name);
    const image = new ImageData(data, width, height);
    this.count += 1;
    return this.ask({type: "frame", id: this.count, image, time, mode, options}, [data.buffer]);
  }
}
