// The two networks as Python runs them, asked over HTTP: what differs then is the pipeline's code.

const ask = async (path, body) => {
  const answer = await fetch(path, {method: "POST", body});
  if (!answer.ok) throw new Error(`${path}: status ${answer.status}`);
  return new Float32Array(await answer.arrayBuffer());
};

export const pythonNetworks = {
  spent: {detect: 0, keypoints: 0},

  async detect({data, width, height}) {
    const values = await ask(`/networks/detect?width=${width}&height=${height}`, data);
    const cells = values.length / 15;
    return {
      score: values.subarray(0, cells),
      box: values.subarray(cells, 5 * cells),
      points: values.subarray(5 * cells),
    };
  },

  async readCrops(pictures) {
    const values = await ask(`/networks/crops?count=${pictures.length}`, new Blob(pictures));
    return pictures.map((_, index) => {
      const own = values.subarray(205 * index, 205 * (index + 1));
      const points = Array.from({length: 68}, (_, i) => [own[2 * i], own[2 * i + 1]]);
      return {points, logScale: Array.from(own.subarray(136, 204)), score: own[204]};
    });
  },
};
