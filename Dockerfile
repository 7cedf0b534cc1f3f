# CPU:  docker build -t diffused-heads .
# CUDA: docker build -t diffused-heads:cuda --build-arg TORCH_INDEX=https://pypi.org/simple .
# Run:  docker run --rm -v "$PWD:/work" diffused-heads dh-prep doctor      (with CUDA: --gpus all)
FROM python:3.11-slim
# What OpenCV's wheel links against.
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /src
COPY constraints.txt ./
# torch alone first: asked for later, another package could bring another build of it. Of one version
# pip prefers +cpu; PyPI alone has the CUDA build.
RUN pip install --no-cache-dir --constraint constraints.txt torch \
    --index-url "$TORCH_INDEX" --extra-index-url https://pypi.org/simple
COPY pyproject.toml README.md LICENSE ./
COPY manifests manifests
COPY pipeline pipeline
COPY model model
COPY benchmarks benchmarks
RUN pip install --no-cache-dir --constraint constraints.txt '.[app,s3]'
# The face network lies in the image, so that it works offline; other files join it when needed.
ENV XDG_CACHE_HOME=/opt/cache
RUN dh-prep doctor --fetch && chmod -R a+rwX /opt/cache
# So that it runs as any user: docker run --user "$(id -u):$(id -g)".
ENV HOME=/tmp USER=dh
WORKDIR /work
CMD ["dh-prep", "doctor"]
