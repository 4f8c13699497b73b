# One image for web, worker, beat and migrate. No secret is in it: all come from the environment.

FROM python:3.13-slim AS packages
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes --no-deps -r /tmp/requirements.txt

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --no-create-home flattr
COPY --from=packages /venv /venv
WORKDIR /app
COPY . .
# Compressed, with a hash in each name. The settings want values; none of these is kept.
RUN SECRET_KEY=build DATABASE_URL=postgres://build@localhost/build \
    python manage.py collectstatic --noinput --verbosity 0
USER flattr
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 \
    CMD ["python", "manage.py", "check_health", "web", "database"]
CMD ["gunicorn", "flattr_site.wsgi", "--bind=0.0.0.0:8000", "--workers=3", "--threads=4", \
    "--worker-tmp-dir=/dev/shm", "--limit-request-line=8190", "--access-logfile=-", "--no-control-socket"]
