# One image for every part: the API by default; the worker and the migration are other commands of it.
# Debian, not Alpine: the native part of the Temporal SDK needs glibc.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
# Owned by root: the program can read itself, not change itself.
COPY package.json holdfast.config.json ./
COPY deploy/worker-health.mjs deploy/
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
EXPOSE 8080
CMD ["node", "--enable-source-maps", "dist/api/main.js"]
