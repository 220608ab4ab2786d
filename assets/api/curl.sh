API=ADDRESSgradio_api

# The photo goes up first; what comes back is its name there.
PHOTO=$(curl -sf -F files=@photo.jpg $API/upload | tr -d '[]"')

ask() { # endpoint, settings
  EVENT=$(curl -sf $API/call/v2/$1 -H "Content-Type: application/json" -d '{
    "photo": {"path": "'"$PHOTO"'", "orig_name": "photo.jpg", "meta": {"_type": "gradio.FileData"}}
    '"$2"'}' | cut -d '"' -f 4)
  curl -sfN $API/call/v2/$1/$EVENT | sed -n 's/^data: \[\(.*\)\]$/\1/p'
}

ask caption ', "beam_size": 3, "num_captions": 2'
ask keypoints ''
