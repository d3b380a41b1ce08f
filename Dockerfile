# Foreshock as an image: locked and hashed dependencies, no build tools, no root, a root file system that may be read-only.
#
#   docker build -t foreshock:0.1.0 .
#   docker run --rm --read-only --tmpfs /tmp --tmpfs /var/cache/foreshock:uid=65532 foreshock:0.1.0 demo
#
# Writable places it wants: /tmp, /var/cache/foreshock (compiled kernels), and the folder of `state.path`.

# --- the wheel, built by the locked tools; nothing of this stage but the wheel is kept
FROM python:3.11-slim-bookworm AS wheel
COPY requirements/dev.lock /source/requirements/dev.lock
RUN python -m venv /tools \
    && /tools/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /source/requirements/dev.lock
COPY . /source
WORKDIR /source
RUN /tools/bin/python -m hatchling build --target wheel --directory /wheel

# --- the installation, and its kernels compiled once for every processor of the architecture
FROM python:3.11-slim-bookworm AS installed
# One name for all nodes: with the host's own, another node could not use these kernels, and would compile for a minute.
ARG NUMBA_CPU_NAME=generic
ENV NUMBA_CPU_NAME=${NUMBA_CPU_NAME} PATH=/opt/foreshock/bin:$PATH
COPY requirements/run.lock /requirements/run.lock
RUN python -m venv /opt/foreshock \
    && pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements/run.lock
COPY --from=wheel /wheel /wheel
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --no-index /wheel/*.whl
COPY configs/container/warm.sh configs/container/entrypoint.sh /opt/foreshock/bin/
RUN sh /opt/foreshock/bin/warm.sh /opt/foreshock/kernels

# --- what runs
FROM python:3.11-slim-bookworm AS run
ARG NUMBA_CPU_NAME=generic
LABEL org.opencontainers.image.title="Foreshock" \
      org.opencontainers.image.description="Streaming anomaly detection on Kafka" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/foreshock/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    NUMBA_CPU_NAME=${NUMBA_CPU_NAME} \
    NUMBA_CACHE_DIR=/var/cache/foreshock
COPY --from=installed /opt/foreshock /opt/foreshock
RUN install -d -o 65532 -g 65532 /var/cache/foreshock /var/lib/foreshock
WORKDIR /var/lib/foreshock
USER 65532:65532
EXPOSE 8080
# Kubernetes probes /livez, /readyz and /startupz; Docker's own health check would only repeat one of them.
HEALTHCHECK NONE
ENTRYPOINT ["sh", "/opt/foreshock/bin/entrypoint.sh"]
CMD ["--help"]
