#!/bin/sh
# Waits until Temporal serves, then makes sure that the namespace exists. Safe to run again. The address and the
# namespace are read by the `temporal` command itself.
set -eu

tries=60
until temporal operator cluster health; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo 'Temporal does not serve: see docker compose logs temporal' >&2; exit 1; }
  sleep 1
done

if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  exit 0
fi
temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 72h

# The server's caches learn of a new namespace after some seconds; until then workers and starts would be refused.
until temporal workflow list --namespace "$TEMPORAL_NAMESPACE" --limit 1 >/dev/null 2>&1; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo "the namespace $TEMPORAL_NAMESPACE does not become usable" >&2; exit 1; }
  sleep 1
done
