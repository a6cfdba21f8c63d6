#!/bin/sh
# Run by the PostgreSQL image on its first start: the workers' role owns the database and is no superuser.
psql --set ON_ERROR_STOP=1 --set password="$DATABASE_PASSWORD" --username "$POSTGRES_USER" <<'SQL'
CREATE ROLE bearometer LOGIN PASSWORD :'password';
CREATE DATABASE bearometer OWNER bearometer;
SQL
