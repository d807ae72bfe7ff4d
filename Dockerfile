# One image for every process: `serve` (the default), `run_timekeeper`, `migrate`, any manage.py command.
#
#   docker build -t space .                              or docker compose up --build (docs/deploy.md)
#   docker build -t space --secret id=pip.conf,src=$HOME/.config/pip/pip.conf .     with a pip of your own
#
# The base names a minor version of Python and a release of Debian; a production build can pin
# its digest: --build-arg BASE=docker.io/library/python:3.13-slim-trixie@sha256:...
# `./space check container` puts a base of the same release of Debian here, made by debootstrap.
ARG BASE=docker.io/library/python:3.13-slim-trixie

FROM ${BASE} AS build
# pip stays in this stage: the running image needs none.
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/venv
WORKDIR /app
COPY requirements.txt .
# Every package is pinned, and all of them have wheels: nothing is compiled, nothing else is installed.
RUN --mount=type=secret,id=pip.conf \
    PIP_CONFIG_FILE=/run/secrets/pip.conf /opt/pip/bin/pip --python /opt/venv/bin/python install \
    --no-deps --only-binary :all: --no-compile --no-cache-dir --disable-pip-version-check \
    --requirement requirements.txt
COPY . .
ENV PATH=/opt/venv/bin:$PATH STATIC_ROOT=/app/static
# The settings ask for secrets and servers; collecting files uses none of them.
# Bytecode is valid whatever the files' times: a read-only container could not renew it.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_hex(32))')" \
    && export SECRET_KEY TOKEN_SIGNING_KEY="$SECRET_KEY" DATABASE_URL=postgres:// REDIS_URL=redis:// \
    && python manage.py collectstatic --noinput --verbosity 0 \
    && python -m whitenoise.compress --quiet /app/static \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib /app \
    && mkdir /opt/media

FROM ${BASE}
LABEL org.opencontainers.image.title="Space" \
      org.opencontainers.image.description="A focus timer whose countdown the server owns" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# The only writable place. A new volume takes its owner from here.
COPY --from=build --chown=10001:10001 /opt/media /var/lib/space/media
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STATIC_ROOT=/app/static \
    MEDIA_ROOT=/var/lib/space/media
WORKDIR /app
# A number, so that a platform can see that it is not root.
USER 10001:10001
EXPOSE 8000
# The process lives: a platform may restart a container that fails this. (/readyz: it can serve.)
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "config.probe", "/healthz"]
# In this form there is no shell in between: SIGTERM reaches the server.
ENTRYPOINT ["python", "manage.py"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
