# The server as an image, for the API and for the worker alike: `node main/api.ts`, `node main/worker.ts`.
# Built once with everything, so that the bundles for workflows and sandboxes are in it; then without
# the tools of development.
FROM node:24-bookworm-slim AS build
WORKDIR /opt/holdfast
COPY package.json package-lock.json setup.mjs patches.mjs ./
RUN node setup.mjs --packages
COPY . .
RUN node main/prepare.ts \
 && node -e "import('./sandbox/runner-bundle.ts').then((bundle) => bundle.runnerBundle())" \
 && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
# mmdebstrap makes the sandboxes' base image where no registry can be asked.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates mmdebstrap \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/holdfast
COPY --from=build /opt/holdfast .
ENV NODE_ENV=production HOLDFAST_HOST=0.0.0.0 HOLDFAST_DATA=/var/lib/holdfast/data
EXPOSE 8787
STOPSIGNAL SIGTERM
ENTRYPOINT ["node"]
CMD ["main/api.ts"]
