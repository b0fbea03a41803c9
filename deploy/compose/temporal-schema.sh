#!/bin/sh
# Brings the tables of Temporal to the version of this image. Safe to run again: what is there is left alone.
set -eu

sql_tool() {
  temporal-sql-tool --plugin postgres12 --ep "$SQL_HOST" -p 5432 -u "$SQL_USER" --db "$@"
}

for database in temporal temporal_visibility; do
  sql_tool "$database" setup-schema -v 0.0
done
sql_tool temporal update-schema -d /etc/temporal/schema/postgresql/v12/temporal/versioned
sql_tool temporal_visibility update-schema -d /etc/temporal/schema/postgresql/v12/visibility/versioned
