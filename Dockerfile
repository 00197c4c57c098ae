# nlb-search as an image: `docker compose build`, or `docker build --tag nlb-search .`
FROM python:3.11-slim

# Another package index for torch: one of builds for the CPU, or for a version of CUDA. Unless given, pip's own.
ARG TORCH_INDEX=""

WORKDIR /opt/nlb-search
COPY constraints.txt ./
# By itself and first: it is by far the largest, and changes least.
RUN pip install --no-cache-dir --constraint constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch

COPY pyproject.toml README.md ./
COPY nlb_search nlb_search
COPY search search
COPY models models
COPY data data
COPY storage storage
# nlb_tools asks for a pandas that has no build for this Python; it runs on a later one.
RUN pip install --no-cache-dir --constraint constraints.txt . \
    && pip install --no-cache-dir --no-deps nlb_tools==0.0.4

# A volume takes the owner of the folder that it is first mounted on.
RUN useradd --uid 1000 --no-create-home nlb \
    && mkdir /artifacts /cache /data \
    && chown nlb:nlb /artifacts /cache
# By its number: Kubernetes cannot tell from a name that it is not root.
USER 1000
WORKDIR /tmp
ENV HOME=/tmp \
    NLB_SEARCH_DATA=/data \
    NLB_SEARCH_ARTIFACTS=/artifacts \
    NLB_SEARCH_CACHE=/cache

CMD ["nlb-search", "--help"]
