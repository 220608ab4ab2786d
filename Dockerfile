# The page on a CPU:
#
#   docker build --tag photo-page .
#   docker run --publish 7860:7860 photo-page
#
# pip takes PyTorch as published for GPUs, which is 5 GB larger. For the CPU build, pass the address
# of the package index that pytorch.org names for it: --build-arg TORCH_INDEX=https://…
FROM python:3.11-slim

ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860

RUN useradd --create-home --uid 1000 page
WORKDIR /home/page/app

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY requirements.txt .
RUN if [ -n "$TORCH_INDEX" ]; then \
      grep -oE '^torch(vision)?[>=.0-9]+' requirements.txt \
        | xargs pip install --index-url "$TORCH_INDEX"; \
    fi \
    && pip install -r requirements.txt

COPY assets/ assets/
COPY weights/ weights/
COPY captioning/ captioning/
COPY facial_keypoints/ facial_keypoints/
COPY keypoints_captions/ keypoints_captions/
COPY web/ web/
COPY app.py ./

# What finds faces in visitors' browsers; without a connection to npm's registry the page goes without.
RUN python -m web.device || echo "without the live view on visitors' own devices"

USER 1000
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/health', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["python", "app.py", "--log-format", "json"]
