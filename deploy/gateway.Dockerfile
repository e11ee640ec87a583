# The gateway and the agent: one program, built from otel-config/builder-config.yaml. From the root of the repository:
#
#   docker build -f deploy/gateway.Dockerfile -t otel-modeldata-gateway .
#
# The image has the program, the configurations of otel-config/ and CA certificates; no shell, no packages.

FROM golang:1.26-bookworm AS build
# An empty folder: a volume mounted over its copy gets the owner of the copy.
WORKDIR /queue
WORKDIR /src
COPY otel-config otel-config
# CGO_ENABLED=0: a static program, for an image without a C library.
ENV CGO_ENABLED=0
RUN ["go", "run", "go.opentelemetry.io/collector/cmd/builder@v0.159.0", "--config=otel-config/builder-config.yaml"]

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /src/dist/otelcol-modeldata /otelcol-modeldata
COPY --from=build /src/otel-config /etc/otelcol-modeldata
COPY --from=build --chown=65532:65532 /queue /var/lib/otelcol-modeldata
ENV OTEL_MODELDATA_GATEWAY_LISTEN=0.0.0.0:4317 \
    OTEL_MODELDATA_GATEWAY_LISTEN_HTTP=0.0.0.0:4318 \
    OTEL_MODELDATA_GATEWAY_HEALTH=0.0.0.0:13133 \
    OTEL_MODELDATA_GATEWAY_METRICS_HOST=0.0.0.0 \
    OTEL_MODELDATA_GATEWAY_QUEUE=/var/lib/otelcol-modeldata/queue \
    OTEL_MODELDATA_AGENT_QUEUE=/var/lib/otelcol-modeldata/queue \
    GOMEMLIMIT=820MiB
# The queue is the only copy of data that is acknowledged but not stored yet: use a named volume for it.
VOLUME /var/lib/otelcol-modeldata
USER 65532:65532
EXPOSE 4317 4318 8888 13133
ENTRYPOINT ["/otelcol-modeldata"]
CMD ["--config=/etc/otelcol-modeldata/gateway.yaml"]
