# The tool itself as an image, for machines that have Docker and no Python:
#
#   docker build -t run-pipeline/tool .
#   docker run --rm -t \
#     -v /var/run/docker.sock:/var/run/docker.sock -v "$PWD:$PWD" -w "$PWD" \
#     --user "$(id -u):$(id -g)" --group-add "$(stat -c %g /var/run/docker.sock)" \
#     run-pipeline/tool examples/hello/pipeline.yaml
#
# It starts the steps' containers on the host's engine, beside itself ("Docker out of Docker"), so every path that a
# step mounts must be the same inside and outside: mount the project at its own path, as above, and keep runs below it.
# Paths are not translated yet; a run directory elsewhere would show empty directories to the steps. Whoever may use
# the socket is as good as root on the host.
ARG BASE_IMAGE=python:3.12-slim-bookworm
FROM ${BASE_IMAGE} AS build
# As in images/*: a folder `.host` with pip.conf and ca.crt may stand beside this file, and stays in this stage.
COPY pyproject.toml uv.lock README.md LICENSE .host* /build/
COPY runner /build/runner
COPY images /build/images
ENV PIP_CONFIG_FILE=/build/pip.conf PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
# uv reads the lock; pip installs, because pip knows the settings of the place where this is built.
RUN python3 -m venv /opt/uv \
 && /opt/uv/bin/pip install --quiet uv \
 && /opt/uv/bin/uv export --quiet --frozen --no-dev --no-emit-project --output-file /tmp/locked.txt \
 && python3 -m venv /opt/run-pipeline \
 && /opt/run-pipeline/bin/pip install --quiet --require-hashes -r /tmp/locked.txt \
 && /opt/run-pipeline/bin/pip install --quiet --no-deps .

FROM ${BASE_IMAGE}
COPY --from=build /opt/run-pipeline /opt/run-pipeline
# With --user there is no home; what is cached here is cheap to find again.
ENV PATH=/opt/run-pipeline/bin:${PATH} \
    HOME=/tmp \
    RUN_PIPELINE_CACHE_DIR=/tmp/cache \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1
ENTRYPOINT ["run-pipeline"]
CMD ["--help"]
