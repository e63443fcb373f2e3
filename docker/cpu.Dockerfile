# docker build -f docker/cpu.Dockerfile -t asi-arch:cpu .
FROM python:3.12-slim-bookworm AS builder
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY docker/install.sh /install.sh
COPY pyproject.toml constraints.txt /source/
RUN --mount=type=cache,target=/root/.cache/pip sh /install.sh dependencies
COPY . /source
RUN --mount=type=cache,target=/root/.cache/pip sh /install.sh program

FROM python:3.12-slim-bookworm
COPY docker/install.sh /install.sh
RUN sh /install.sh system cpu
RUN sh /install.sh user
COPY --from=builder /opt/asi-arch /opt/asi-arch
ENV PATH=/opt/asi-arch/bin:$PATH OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /work
HEALTHCHECK --interval=5m --timeout=60s --start-period=30s CMD ["asi-arch", "doctor", "--json"]
ENTRYPOINT ["asi-arch"]
CMD ["--help"]
