# syntax=docker/dockerfile:1
# One image for every process: gateway, worker, api, migrate, or everything at once (`up`, the default).

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
# The build tool comes from the development lock, pinned by hash like everything else; this stage is thrown away.
COPY requirements-dev.lock ./
RUN python -m venv /tools && /tools/bin/pip install --require-hashes -r requirements-dev.lock
COPY requirements.lock ./
RUN python -m venv /opt/gongche && /opt/gongche/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY migrations ./migrations
COPY src ./src
# Not built here: only compared with what was built from it (tools/console_sources.py).
COPY console ./console
COPY tools/console_sources.py ./tools/
RUN /tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/gongche/bin/pip install --no-deps --no-index /wheels/*.whl

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/gongche --create-home --shell /usr/sbin/nologin gongche
COPY --from=build /opt/gongche /opt/gongche
ENV PATH=/opt/gongche/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GONGCHE_DATA_DIR=/var/lib/gongche/data \
    GONGCHE_HTTP_HOST=0.0.0.0
USER gongche
WORKDIR /var/lib/gongche
# Made here so that a new named volume belongs to the user.
RUN mkdir data media
VOLUME /var/lib/gongche/data
EXPOSE 8808 8000
STOPSIGNAL SIGTERM
# For `up` and `api`; compose.yaml gives gateway and worker their own.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz?reading=true', timeout=4)"]
ENTRYPOINT ["gongche"]
CMD ["up"]
