# One image for every process of the platform; the command says which: `python -m services.enrollment`, `hrss migrate`,
# `python -m ops.idp`, `python -m ops.simulators`, … Built and run by docker-compose.yml; docs/how-to/containers.md
ARG BASE_IMAGE=python:3.13-slim-trixie

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
# Requirements first: as long as they stay, a change of code builds in seconds.
COPY requirements/contract.txt requirements/
RUN python -m venv /opt/contract \
 && /opt/contract/bin/pip install --quiet --require-hashes --only-binary :all: -r requirements/contract.txt
COPY requirements/runtime.txt requirements/
RUN python -m venv --without-pip /opt/hrss \
 && /opt/contract/bin/pip --python /opt/hrss/bin/python \
    install --quiet --require-hashes --only-binary :all: --compile -r requirements/runtime.txt \
 && printf '#!/opt/hrss/bin/python\nfrom ops.cli import main\n\nmain()\n' > /opt/hrss/bin/hrss \
 && chmod 755 /opt/hrss/bin/hrss
COPY proto proto
RUN /opt/contract/bin/python proto/generate.py
COPY kernel kernel
COPY chassis chassis
COPY policy policy
COPY services services
COPY ops ops
RUN rm -rf proto requirements && /opt/hrss/bin/python -m compileall -q .

FROM ${BASE_IMAGE}
# Volumes take owner and mode from these directories when they are mounted for the first time. What is handed to
# PostgreSQL is read by a user of its image, whose number we do not know.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hrss \
 && for name in keys own files audit idp nats-data handed; do install -d -m 0700 -o 10001 -g 10001 /var/lib/hrss/$name; done \
 && for name in migrate enrollment benefits training card gateway idp simulators nats; do \
      install -d -m 0700 -o 10001 -g 10001 /var/lib/hrss/handed/$name; done \
 && install -d -m 0755 -o 10001 -g 10001 /var/lib/hrss /var/lib/hrss/handed/postgres
COPY --from=build /opt/hrss /opt/hrss
COPY --from=build /app /app
ENV PATH=/opt/hrss/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/app:/app/gen PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HRSS_HOME=/var/lib/hrss HRSS_KEYS_DIR=/var/lib/hrss/own HRSS_FILES_DIR=/var/lib/hrss/files
WORKDIR /app
USER 10001:10001
CMD ["hrss", "--help"]
