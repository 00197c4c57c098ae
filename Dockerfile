# Image of nlb-search: `docker compose build`, or `docker build --tag nlb-search .`
FROM python:3.11-slim

# Package index for torch, for example with CPU builds or for a CUDA version. Default: the index of pip.
ARG TORCH_INDEX=""

WORKDIR /opt/nlb-search
COPY constraints.txt ./
# Install torch first, in its own layer: it is the largest package and changes rarely.
RUN pip install --no-cache-dir --constraint constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch

COPY pyproject.toml README.md ./
COPY nlb_search nlb_search
COPY search search
COPY models models
COPY data data
COPY storage storage
RUN pip install --no-cache-dir --constraint constraints.txt .

# A new volume gets the owner of the folder that it is mounted on.
RUN useradd --uid 1000 --no-create-home nlb \
    && mkdir /artifacts /cache /data \
    && chown nlb:nlb /artifacts /cache
# Use the numeric id: Kubernetes cannot verify from a name that the user is not root.
USER 1000
WORKDIR /tmp
ENV HOME=/tmp \
    NLB_SEARCH_DATA=/data \
    NLB_SEARCH_ARTIFACTS=/artifacts \
    NLB_SEARCH_CACHE=/cache

CMD ["nlb-search", "--help"]
