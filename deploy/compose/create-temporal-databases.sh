#!/bin/sh
# Run by the PostgreSQL image when its volume is new. Temporal gets a user and databases of its own, so that neither it
# nor Holdfast can touch the other's tables.
set -e

psql --set=ON_ERROR_STOP=1 --set=password="$TEMPORAL_PASSWORD" \
  --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE temporal LOGIN PASSWORD :'password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE temporal FROM PUBLIC;
REVOKE CONNECT ON DATABASE temporal_visibility FROM PUBLIC;
SELECT format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SQL
