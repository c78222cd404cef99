# One small image for workers and clients: the program, the library, the demo's tasks. Runs as a user of its own.
#   docker build -t umbel .
#   docker run --rm umbel --help
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY scripts scripts
RUN sh scripts/deps build
COPY . .
RUN sh scripts/build release:demo_parts && strip build/release/umbel build/release/examples/demo build/release/examples/report.so

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends librabbitmq4 libhiredis0.14 libmsgpackc2 libuv1 libsqlite3-0 libssl3 zlib1g ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/umbel --create-home umbel
COPY --from=build /src/build/release/umbel /usr/local/bin/umbel
COPY --from=build /src/build/release/examples/demo /usr/local/bin/umbel-demo
COPY --from=build /src/build/release/examples/report.so /usr/local/lib/umbel/report.so
USER umbel
WORKDIR /var/lib/umbel
# The first SIGTERM is a warm stop: what runs is finished, what has not started goes back to the broker.
STOPSIGNAL SIGTERM
ENTRYPOINT ["umbel"]
CMD ["--help"]
