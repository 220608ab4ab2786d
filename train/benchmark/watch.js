// For a page with the live view on: what the next `count` frames show. Resolves to a list of
// [number of the frame, x, y]: the middle of what is drawn over it, in the camera's pixels.
({count, bits, square}) => new Promise((resolve) => {
  const video = document.querySelector(".live video");
  const drawing = document.querySelector(".live canvas");
  const frame = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const context = frame.getContext("2d", {willReadFrequently: true});
  const number = () => {
    context.drawImage(video, 0, 0);
    const row = context.getImageData(0, frame.height - square / 2, frame.width, 1).data;
    let sum = 0;
    for (let bit = 0; bit < bits; bit++) {
      if (row[4 * Math.floor((bit + 0.5) * square)] > 127) sum += 1 << bit;
    }
    return sum;
  };
  const middle = () => {
    context.clearRect(0, 0, frame.width, frame.height);
    context.drawImage(drawing, 0, 0, frame.width, frame.height);
    const data = context.getImageData(0, 0, frame.width, frame.height).data;
    let [x, y, sum] = [0, 0, 0];
    for (let i = 3; i < data.length; i += 4) {
      if (!data[i]) continue;
      const pixel = (i - 3) / 4;
      sum += data[i];
      x += data[i] * (pixel % frame.width);
      y += data[i] * Math.floor(pixel / frame.width);
    }
    return sum ? [x / sum, y / sum] : [NaN, NaN];
  };
  const seen = [];
  const look = () => {
    seen.push([number(), ...middle()]);
    if (seen.length < count) video.requestVideoFrameCallback(look);
    else resolve(seen.map((entry) => entry.map((value) => Number.isNaN(value) ? null : value)));
  };
  video.requestVideoFrameCallback(look);
})
