// Node 20 or newer; in a browser the photo is input.files[0] of an <input type="file">.
import {readFile} from "node:fs/promises";

const api = "ADDRESSgradio_api";

async function ask(endpoint, photo, settings = {}) {
  const form = new FormData();
  form.append("files", photo);
  const [path] = await (await fetch(`${api}/upload`, {method: "POST", body: form})).json();
  const file = {path, orig_name: photo.name, meta: {_type: "gradio.FileData"}};
  const asked = await fetch(`${api}/call/v2/${endpoint}`, {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify({photo: file, ...settings}),
  });
  const {event_id: event, detail} = await asked.json();
  if (!event) throw new Error(detail); // the page is busy
  const stream = await (await fetch(`${api}/call/v2/${endpoint}/${event}`)).text();
  const [, outcome, data] = /event: (complete|error)\ndata: (.*)/.exec(stream);
  if (outcome === "error") throw new Error(JSON.parse(data)?.error ?? data);
  return JSON.parse(data)[0];
}

const photo = new File([await readFile("photo.jpg")], "photo.jpg");

for (const caption of (await ask("caption", photo, {beam_size: 3, num_captions: 2})).captions) {
  console.log(caption.text);
}
for (const face of (await ask("keypoints", photo)).faces) {
  console.log(face.box, face.points[30]); // the tip of the nose
}
