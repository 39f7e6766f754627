# syntax=docker/dockerfile:1
# The worker alone: no shell, no package manager, not root. docs/operations.md says how to run it.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# What the binary is made of. rust-toolchain.toml stays outside: this image is that toolchain.
COPY Cargo.toml Cargo.lock build.rs ./
COPY src src
COPY config config
COPY templates templates
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --bin shirase \
    && install -D target/release/shirase /out/shirase \
    && install -d /out/state /out/etc

# glibc of the same Debian, the authorities' certificates, and nothing to run but the worker.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/shirase /usr/local/bin/shirase
COPY --from=build --chown=root:root /out/etc /etc/shirase
COPY --from=build --chown=65532:65532 /out/state /var/lib/shirase

# By number, so that Kubernetes' runAsNonRoot can tell.
USER 65532:65532
# The built-in ledger.url is a file in the working directory; it has to outlive the container.
WORKDIR /var/lib/shirase
VOLUME /var/lib/shirase
# http.listen, and receipts.listen where it is configured. The built-in http.listen is loopback, which nobody outside reaches.
EXPOSE 9464 9465
# In flight is finished within worker.drain: `docker stop --time 60`. There is no HEALTHCHECK: an orchestrator asks /healthz.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/shirase"]
CMD ["run", "--config", "/etc/shirase/shirase.toml"]
