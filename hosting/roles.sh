#!/bin/sh
# Runs once, when PostgreSQL makes its cluster: the owner migrates, the site owns nothing.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
	--set owner_password="$OWNER_PASSWORD" --set app_password="$APP_PASSWORD" <<'SQL'
CREATE ROLE flattr_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE flattr_app LOGIN PASSWORD :'app_password';
CREATE DATABASE flattr OWNER flattr_owner;
REVOKE ALL ON DATABASE flattr FROM PUBLIC;
GRANT CONNECT ON DATABASE flattr TO flattr_app;
SQL
