# pip install gradio_client
from gradio_client import Client, handle_file

client = Client("ADDRESS")

record = client.predict(
    photo=handle_file("photo.jpg"), beam_size=3, num_captions=2, api_name="/caption"
)
for caption in record["captions"]:
    print(caption["text"])

record = client.predict(photo=handle_file("photo.jpg"), api_name="/keypoints")
for face in record["faces"]:
    print(face["box"], face["points"][30])  # the tip of the nose
