// The pictures of the filters, fetched when they are first worn.

const PICTURE_WIDTH = 512; // pixels; kept no larger than shown, as it is drawn anew on every frame
const RETRY_PAUSE = 5000; // ms after a failure; every frame asks

export class Pictures {
  // folder: the address of their folder, with a slash at its end. onLoad(): one more is there.
  constructor(folder, onLoad = () => {}) {
    Object.assign(this, {folder, onLoad});
    this.known = {};
  }

  // {image, width, height}, the latter what its place is meant for; undefined while it is loading.
  get(name) {
    this.known[name] ??= this.load(name);
    return this.known[name].image ? this.known[name] : undefined;
  }

  load(name) {
    const picture = {};
    const full = Object.assign(new Image(), {src: `${this.folder}${name}.png`});
    full.decode().then(async () => {
      const {naturalWidth: width, naturalHeight: height} = full;
      const size = {resizeWidth: Math.min(width, PICTURE_WIDTH), resizeQuality: "high"};
      Object.assign(picture, {width, height, image: await createImageBitmap(full, size)});
      this.onLoad();
    }).catch(() => setTimeout(() => { delete this.known[name]; }, RETRY_PAUSE)); // asked for again
    return picture;
  }
}
